//! The demonstration list: reproducible from the project's own pictures.

use presend::hash::{Algorithm, exact};
use presend::limits::{Budget, Limits};
use presend::publish::{self, Feed, Parameters};

use crate::pdq::hashes;
use crate::{read, root, table};

#[test]
fn the_list_is_built_from_its_feed_byte_for_byte() {
    let feed = Feed::read(&read(root("hashlists/demo/feed.csv"))).expect("a feed");
    let parameters =
        Parameters { id: "demo".into(), version: 1, profile: "balanced".into(), salt: None };
    let built = publish::build(&parameters, &feed).expect("it builds");
    assert_eq!(built.list, read(root("hashlists/demo/demo.presend")));
    let manifest = serde_json::from_slice(&read(root("hashlists/demo/manifest.json")));
    assert_eq!(built.manifest, manifest.expect("a manifest"));
}

#[test]
fn the_feed_holds_the_hashes_of_its_pictures() {
    // The feed was written with pdqhash and Python's hashlib.
    let folder = root("hashlists/demo");
    let mut pictures = vec![folder.join("test-picture.png")];
    let listed = folder.join("pictures").read_dir().expect("a folder");
    pictures.extend(listed.map(|entry| entry.expect("a file").path()));
    let mut ours = Vec::new();
    for picture in &pictures {
        ours.push(("pdq".to_owned(), hashes(picture)[0][0].0.to_hex()));
        let wanted = [Algorithm::Sha256].into_iter().collect();
        let budget = Budget::start(&Limits::default());
        let digests = exact::digests(&read(picture), wanted, &budget).expect("it is read");
        let hex = digests[0].as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        ours.push(("sha256".to_owned(), hex));
    }
    let rows = table(folder.join("feed.csv"));
    let mut feed: Vec<_> =
        rows.iter().map(|row| (row["algorithm"].to_owned(), row["hex"].to_owned())).collect();
    ours.sort();
    feed.sort();
    assert_eq!(ours.len(), 8);
    assert_eq!(ours, feed);
}
