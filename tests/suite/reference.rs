//! PDQ of Meta's own test pictures, from their files. They are not part of the
//! project; where they are missing, these tests say so and skip.

use crate::pdq::{hash, hashes};
use crate::{shared, table};

#[test]
fn metas_test_pictures_hash_as_the_reference_says() {
    let Some(folder) = shared("pdq") else { return };
    let rows = table(folder.join("vectors.csv"));
    assert_eq!(rows.len(), 33);
    for row in &rows {
        let (ours, quality) = hashes(&folder.join(&row["file"]))[0][0];
        assert_eq!(ours.distance(&hash(&row["pdq_upright"])), 0, "{}", &row["file"]);
        assert_eq!(quality.to_string(), row["quality_upright"], "{}", &row["file"]);
    }
}

#[test]
fn the_colour_modes_of_metas_picture_stay_within_four_bits() {
    let Some(folder) = shared("pdq/modes") else { return };
    let original = hashes(&folder.join("original.jpg"))[0][0].0;
    let mut compared = 0;
    for entry in folder.read_dir().expect("a folder") {
        let path = entry.expect("a file").path();
        let distance = hashes(&path)[0][0].0.distance(&original);
        assert!(distance <= 4, "{}: {distance} bits", path.display());
        compared += 1;
    }
    assert_eq!(compared, 14);
}
