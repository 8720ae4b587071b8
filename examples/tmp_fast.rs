//! tmp
use presend::frame::Background;
use presend::hash::pdq::Pdq;
use presend::limits::{Budget, Limits};
use presend::media::{self, Fidelity};
use std::time::Instant;
fn main() {
    for path in std::env::args().skip(1) {
        let bytes = std::fs::read(&path).unwrap();
        let run = |f: Fidelity| {
            let b = Budget::start(&Limits::default());
            let mut fr = media::open_with(&bytes, f, &b).ok()?;
            let frame = fr.next()?.ok()?;
            let p = Pdq::of(&frame, Background::White, &b).ok()?;
            Some((p.hash(), p.quality(), frame.scale()))
        };
        if std::env::var_os("FASTONLY").is_some() {
            for _ in 0..100 {
                run(Fidelity::Fast);
            }
            continue;
        }
        let Some(full) = run(Fidelity::Full) else { continue };
        let Some(fast) = run(Fidelity::Fast) else {
            println!("LOST {path}");
            continue;
        };
        let time = |f| {
            let mut t = vec![];
            let n = if bytes.len() > 2_000_000 { 15 } else { 21 };
            for _ in 0..n {
                let s = Instant::now();
                std::hint::black_box(run(f));
                t.push(s.elapsed().as_secs_f64() * 1e3);
            }
            t.sort_by(f64::total_cmp);
            t[t.len() / 2]
        };
        let t = if std::env::var_os("TIME").is_some() {
            (time(Fidelity::Fast), time(Fidelity::Full))
        } else {
            (0., 0.)
        };
        println!(
            "{path} scale {} q {} {} distance {} fast {:.2} full {:.2}",
            fast.2,
            full.1,
            fast.1,
            full.0.distance(&fast.0),
            t.0,
            t.1
        );
    }
}
