//! JPEG pixels are those of libjpeg-turbo, and damage stays where it is.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use presend::frame::{Background, Frame};
use presend::limits::{Budget, Clock, Incomplete, Limits};
use presend::media::{self, Fault};

use crate::{root, table};

#[test]
fn every_property_decodes_as_libjpeg_does() {
    let rows = table(folder().join("jpeg.csv"));
    assert_eq!(rows.len(), folder().read_dir().unwrap().count() - 1);
    for row in rows {
        let file = &row["file"];
        let (frame, fault) = decode(&read(file));
        let frame = frame.expect(file);
        assert_eq!(fault, None, "{file}");
        assert_eq!(
            (frame.width().to_string(), frame.height().to_string()),
            (row["width"].into(), row["height"].into())
        );
        let mut digest = blake3::Hasher::new();
        for value in luma(&frame).concat() {
            digest.update(&value.to_le_bytes());
        }
        assert_eq!(digest.finalize().to_string(), row["blake3"], "{file}");
    }
}

#[test]
fn a_lost_restart_interval_costs_only_itself() {
    // One row of eight lines an interval; chroma is not smoothed across lines.
    let bytes = read("restart-every-row.jpg");
    let whole = luma(&decode(&bytes).0.unwrap());
    let marker =
        |number: u8| bytes.windows(2).position(|pair| pair == [0xff, 0xd0 + number]).unwrap();
    let lost = [&bytes[..marker(1)], &bytes[marker(2)..]].concat();
    let (frame, fault) = decode(&lost);
    assert_eq!(fault, Some(Fault::Incomplete(Incomplete::Malformed)));
    for (y, (row, expected)) in luma(&frame.unwrap()).iter().zip(&whole).enumerate() {
        let grey = row.iter().all(|&value| (value - 128.0).abs() < 1e-3);
        assert!(if (16..24).contains(&y) { grey } else { row == expected }, "line {y}");
    }
}

#[test]
fn a_missing_end_is_truncated_wherever_it_is_missing() {
    for file in ["ratio-420.jpg", "progressive-420.jpg", "sequential-three-scans.jpg"] {
        let bytes = read(file);
        for length in 3..bytes.len() {
            let (frame, fault) = decode(&bytes[..length]);
            assert_eq!(fault, Some(Fault::Incomplete(Incomplete::Truncated)), "{file} at {length}");
            let scan = bytes.windows(2).position(|pair| pair == [0xff, 0xda]).unwrap();
            assert_eq!(
                frame.is_some(),
                length >= scan + 2 + usize::from(bytes[scan + 3]),
                "{file} at {length}"
            );
        }
    }
}

#[test]
fn a_hundred_scans_are_enough() {
    let bytes = read("sequential-three-scans.jpg");
    let end = bytes.len() - 2;
    let last = bytes.windows(2).rposition(|pair| pair == [0xff, 0xda]).unwrap();
    let with =
        |more: usize| [&bytes[..end], &bytes[last..end].repeat(more), &bytes[end..]].concat();
    let (frame, fault) = decode(&with(97));
    assert_eq!((frame.is_some(), fault), (true, None));
    let (frame, fault) = decode(&with(98));
    assert_eq!((frame.is_some(), fault), (true, Some(Fault::Incomplete(Incomplete::Malformed))));
}

#[test]
fn the_deadline_stops_every_kind_between_rows() {
    for file in ["ratio-420.jpg", "progressive-420.jpg"] {
        let ticks = Arc::new(AtomicU64::new(0));
        let limits = Limits {
            clock: Clock::new(move || Duration::from_secs(ticks.fetch_add(1, Ordering::Relaxed))),
            // The start of the scan, the frame, and then two rows.
            time: Some(Duration::from_secs(4)),
            ..Limits::default()
        };
        let bytes = read(file);
        let budget = Budget::start(&limits);
        let items: Vec<_> =
            media::open(&bytes, &budget).unwrap().map(|item| item.map(|_| ())).collect();
        assert_eq!(items, [Err(Fault::Incomplete(Incomplete::DeadlinePassed))], "{file}");
    }
}

#[test]
fn memory_is_asked_for_before_it_is_taken() {
    let bytes = read("progressive-420.jpg");
    // The pixels alone take 45 x 37 x 3 bytes, the coefficients 48 x 48 x 3.
    let limits = Limits { memory: 45 * 37 * 3 + 48 * 48 * 3, ..Limits::default() };
    let budget = Budget::start(&limits);
    let items: Vec<_> =
        media::open(&bytes, &budget).unwrap().map(|item| item.map(|_| ())).collect();
    assert_eq!(items, [Err(Fault::Incomplete(Incomplete::TooMuchMemory))]);
}

#[test]
fn a_scan_that_cannot_be_read_takes_no_memory() {
    // Its tables are named and missing; a progressive file has no usual ones.
    let mut bytes = read("progressive-420.jpg");
    let scan = bytes.windows(2).position(|pair| pair == [0xff, 0xda]).unwrap();
    bytes[scan + 6] = 0x33;
    let budget = Budget::start(&Limits { memory: 100, ..Limits::default() });
    let items: Vec<_> =
        media::open(&bytes, &budget).unwrap().map(|item| item.map(|_| ())).collect();
    assert_eq!(items, [Err(Fault::Incomplete(Incomplete::Malformed))]);
}

fn decode(bytes: &[u8]) -> (Option<Frame<'static>>, Option<Fault>) {
    let budget = Budget::start(&Limits::default());
    let (mut frame, mut fault) = (None, None);
    match media::open(bytes, &budget) {
        Ok(frames) => frames.for_each(|item| match item {
            Ok(decoded) => frame = Some(decoded),
            Err(reason) => fault = Some(reason),
        }),
        Err(reason) => fault = Some(reason),
    }
    (frame, fault)
}

fn luma(frame: &Frame<'_>) -> Vec<Vec<f32>> {
    let mut rows = Vec::new();
    let keep = |row: &[f32]| -> Result<(), ()> {
        rows.push(row.to_vec());
        Ok(())
    };
    frame.luma_rows(Background::White, keep).expect("a sink that never fails");
    rows
}

fn read(file: &str) -> Vec<u8> {
    crate::read(folder().join(file))
}

fn folder() -> PathBuf {
    root("tests/data/jpeg")
}
