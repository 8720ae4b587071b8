//! PDQ against PyPI `pdqhash`.

use std::path::Path;

use presend::frame::{Background, Frame, Layout};
use presend::hash::PerceptualHash;
use presend::hash::pdq::Pdq;
use presend::hash::views::{Dihedral, Variant, View, ViewSet};
use presend::limits::{Budget, Limits};
use presend::media;

use crate::{read, root, table};

/// The columns of a vector table, in presend's names; pdqhash turns
/// counter-clockwise.
const DIHEDRAL: [(&str, Dihedral); 8] = [
    ("pdq", Dihedral::Identity),
    ("r90", Dihedral::Rotate270),
    ("r180", Dihedral::Rotate180),
    ("r270", Dihedral::Rotate90),
    ("flipv", Dihedral::FlipVertical),
    ("fliph", Dihedral::FlipHorizontal),
    ("r90flipv", Dihedral::Transpose),
    ("r90fliph", Dihedral::Transverse),
];

/// The hash and quality of every displayed frame over white, and over black
/// where that differs.
pub(crate) fn hashes(path: &Path) -> Vec<[(PerceptualHash, u8); 2]> {
    let bytes = read(path);
    let budget = Budget::start(&Limits::default());
    let frames =
        media::open(&bytes, &budget).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
    frames
        .map(|frame| {
            let frame = frame.unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
            [Background::White, Background::Black].map(|background| {
                let pdq = Pdq::of(&frame, background, &budget).expect("the budget is ample");
                (pdq.hash(), pdq.quality())
            })
        })
        .collect()
}

pub(crate) fn hash(hex: &str) -> PerceptualHash {
    PerceptualHash::from_hex(hex).expect("tables hold hashes")
}

#[test]
fn identical_pixels_give_identical_bits() {
    let mut compared = 0;
    for row in table(root("tests/data/vectors/vectors.csv")) {
        let bytes = read(root("tests/data/vectors").join(&row["file"]));
        let budget = Budget::start(&Limits::default());
        let mut frames = media::open(&bytes, &budget).expect("a vector opens");
        let frame = frames.next().expect("a vector has a frame").expect("a vector decodes");
        assert_eq!(frame.width().to_string(), row["width"]);
        assert_eq!(frame.height().to_string(), row["height"]);
        let pdq = Pdq::of(&frame, Background::White, &budget).expect("the budget is ample");
        assert_eq!(pdq.quality().to_string(), row["quality"], "{}", &row["file"]);
        if pdq.quality() <= 49 {
            continue;
        }
        for (column, symmetry) in DIHEDRAL {
            // pdqhash filters a 64 x 64 picture for its turned hashes alone.
            if (frame.width(), frame.height()) == (64, 64) && symmetry != Dihedral::Identity {
                continue;
            }
            let ours = View::dihedral(&pdq, symmetry).hash;
            assert_eq!(ours.distance(&hash(&row[column])), 0, "{} {column}", &row["file"]);
            compared += 1;
        }
    }
    assert!(compared >= 90, "{compared}");
}

#[test]
fn every_mode_of_a_picture_hashes_as_its_pixels_do() {
    let folder = root("tests/data/modes");
    let mut compared = 0;
    for row in table(folder.join("modes.csv")) {
        if row["pdq"].is_empty() {
            continue;
        }
        let frames = hashes(&folder.join(&row["file"]));
        let hidden = frames.len() > row["frames"].parse::<usize>().expect("a number");
        // An APNG may keep a picture in front of its animation.
        let frame = match &row["frame"] {
            "default" => 0,
            "" => 0,
            frame => frame.parse::<usize>().expect("a number") + usize::from(hidden),
        };
        let background = usize::from(&row["background"] == "black");
        let (ours, quality) = frames[frame][background];
        let distance = ours.distance(&hash(&row["pdq"]));
        let most = row["max_distance"].parse::<u32>().expect("a number");
        let what = format!("{} frame {frame} over {}", &row["file"], &row["background"]);
        assert!(distance <= most, "{what}: {distance} bits");
        assert_eq!(quality.to_string(), row["quality"], "{what}");
        compared += 1;
    }
    assert!(compared >= 50, "{compared}");
}

#[test]
fn every_orientation_hashes_as_the_upright_picture() {
    let folder = root("tests/data/orient");
    let rows = table(folder.join("orient.csv"));
    assert_eq!(rows.len(), 10);
    for row in rows {
        let (ours, _) = hashes(&folder.join(&row["file"]))[0][0];
        let most = row["max_distance"].parse::<u32>().expect("a number");
        let distance = ours.distance(&hash(&row["pdq"]));
        assert!(distance <= most, "{}: {distance} bits", &row["file"]);
    }
}

#[test]
fn a_profile_out_of_the_ordinary_shows_a_second_picture() {
    let folder = root("tests/data/profiles");
    for row in crate::table(folder.join("profiles.csv")) {
        let name = &row["file"];
        let frames = hashes(&folder.join(name));
        let profiles = if name.contains("behind-a-code-point") { 2 } else { 1 };
        assert_eq!(frames.len(), 1 + profiles, "{name}");
        let expected = hash(&row["pdq"]);
        let [(shown, quality), _] = frames[profiles];
        let most: u32 = row["max_distance"].parse().expect("a number");
        assert!(shown.distance(&expected) <= most, "{name}: {}", shown.distance(&expected));
        assert_eq!(quality.to_string(), row["quality"], "{name}");
        let [(stored, _), _] = frames[0];
        assert!(stored.distance(&shown) > 8, "{name}: {}", stored.distance(&shown));
    }
    for entry in std::fs::read_dir(&folder).expect("a folder") {
        let path = entry.expect("readable").path();
        if path.to_string_lossy().contains("ordinary") {
            assert_eq!(hashes(&path).len(), 1, "{}", path.display());
        }
    }
}

fn first_pdq(name: &str) -> Pdq {
    let bytes = read(root("tests/data/vectors").join(name));
    let budget = Budget::start(&Limits::default());
    let mut frames = media::open(&bytes, &budget).expect("a vector opens");
    let frame = frames.next().expect("a vector has a frame").expect("a vector decodes");
    Pdq::of(&frame, Background::White, &budget).expect("the budget is ample")
}

fn variant(name: &str) -> Variant {
    let mut all = ViewSet::TwentyFive.variants();
    all.find(|variant| variant.name() == name).unwrap_or_else(|| panic!("no view {name}"))
}

#[test]
fn views_are_those_of_numpy() {
    let (mut compared, mut differ) = (0, 0);
    for row in table(root("tests/data/vectors/views.csv")) {
        let pdq = first_pdq(&row["file"]);
        let view = View::variant(&pdq, variant(&row["view"])).expect("this view is never empty");
        let distance = view.hash.distance(&hash(&row["pdq"]));
        // Where a coefficient lies on the median, f32 and f64 may part.
        assert!(distance <= 2, "{} {}: {distance}", &row["file"], &row["view"]);
        compared += 1;
        differ += distance;
    }
    assert_eq!(compared, 7 * 23);
    assert!(differ <= 16, "{differ} bits");
}

#[test]
fn view_sets_are_nested_and_their_names_stable() {
    let names = |set: ViewSet| set.variants().map(Variant::name).collect::<Vec<_>>();
    assert_eq!(names(ViewSet::One), ["identity"]);
    let nine = [
        "identity",
        "centred",
        "trimmed",
        "uncrop-4",
        "flip-horizontal",
        "rotate-90",
        "rotate-180",
        "tilt-left-2",
        "tilt-right-2",
    ];
    assert_eq!(names(ViewSet::Nine), nine);
    assert_eq!(names(ViewSet::TwentyFive)[..9], nine);
    assert_eq!(names(ViewSet::TwentyFive).len(), 25);
    assert!(ViewSet::ALL.into_iter().all(|set| ViewSet::from_name(set.name()) == Some(set)));
    assert_eq!(ViewSet::from_name("2"), None);
}

#[test]
fn the_first_view_is_the_reference_hash() {
    let pdq = first_pdq("mountains.png");
    let identity = View::variant(&pdq, Variant::IDENTITY).expect("never empty");
    assert_eq!(identity.hash, pdq.hash());
}

#[test]
fn a_framed_picture_is_seen_without_its_frame() {
    let bytes = read(root("tests/data/vectors/mountains.png"));
    let budget = Budget::start(&Limits::default());
    let mut frames = media::open(&bytes, &budget).expect("a vector opens");
    let frame = frames.next().expect("a vector has a frame").expect("a vector decodes");
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    let mut rows: Vec<Vec<u8>> = Vec::new();
    let sink = |row: &[f32]| -> Result<(), ()> {
        rows.push(row.iter().map(|&luma| luma.round() as u8).collect());
        Ok(())
    };
    frame.luma_rows(Background::White, sink).expect("no error");
    let plain = first_pdq("mountains.png");
    assert!(View::variant(&plain, variant("trimmed")).is_none(), "there is nothing to trim");
    // Bars above and below, on both sides, all around; none a whole 128th.
    for (bar, across, down) in [(0, 0, 61), (255, 37, 0), (18, 29, 43)] {
        let (wide, high) = (width + 2 * across, height + 2 * down);
        let mut pixels = vec![bar; wide * high];
        for (row, y) in rows.iter().zip(down..) {
            let at = y * wide + across;
            pixels[at..at + width].copy_from_slice(row);
        }
        let framed = Frame::new(wide as u32, high as u32, Layout::Luma8, pixels).expect("a frame");
        let pdq = Pdq::of(&framed, Background::White, &budget).expect("the budget is ample");
        let trimmed = View::variant(&pdq, variant("trimmed")).expect("there are bars");
        let centred = View::variant(&plain, variant("centred")).expect("never empty");
        let distance = trimmed.hash.distance(&centred.hash);
        assert!(distance <= 10, "{across} x {down}: {distance}");
        assert!(pdq.hash().distance(&plain.hash()) > 31);
    }
}
