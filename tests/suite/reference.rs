//! PDQ of Meta's own test pictures, from their files. They are not part of the
//! project; where they are missing, these tests say so and skip.

use crate::pdq::{hash, hashes};
use crate::{shared, table};

#[test]
fn metas_test_pictures_hash_as_the_reference_says() {
    let Some(folder) = shared("pdq") else { return };
    let rows = table(folder.join("vectors.csv"));
    assert_eq!(rows.len(), 33);
    let mut exact = 0;
    for row in &rows {
        let (ours, quality) = hashes(&folder.join(&row["file"]))[0][0];
        let distance = ours.distance(&hash(&row["pdq_upright"]));
        exact += u32::from(distance == 0);
        // Of a flat picture only rounding noise would be compared.
        if &row["quality_upright"] != "0" {
            assert!(distance <= 4, "{}: {distance} bits, quality {quality}", &row["file"]);
        }
    }
    assert!(exact >= 30, "{exact} of 33");
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
