//! Component samples to grey or RGB.

/// What the components mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Color {
    Gray,
    YCbCr,
    Rgb,
    /// Ink, stored inverted as Adobe does.
    Cmyk,
    /// The same, with C, M and Y as YCbCr.
    Ycck,
}

/// A line of pixels from a line of each component.
pub(super) fn convert(color: Color, [a, b, c, k]: [&[u8]; 4], out: &mut [u8]) {
    match color {
        Color::Gray => out.copy_from_slice(&a[..out.len()]),
        Color::YCbCr => convert_ycc(a, b, c, out),
        Color::Rgb => interleave(a, b, c, out),
        Color::Cmyk => {
            interleave(a, b, c, out);
            for byte in out.iter_mut() {
                *byte = 255 - *byte;
            }
            apply_ink(k, out);
        }
        Color::Ycck => {
            convert_ycc(a, b, c, out);
            apply_ink(k, out);
        }
    }
}

fn interleave(a: &[u8], b: &[u8], c: &[u8], out: &mut [u8]) {
    for (((out, &a), &b), &c) in out.as_chunks_mut::<3>().0.iter_mut().zip(a).zip(b).zip(c) {
        *out = [a, b, c];
    }
}

/// JFIF's matrix in 16 fraction bits, as libjpeg rounds it. Each product is
/// taken apart into whole multiples and a rest that fits 16 bits.
fn convert_ycc(y: &[u8], cb: &[u8], cr: &[u8], out: &mut [u8]) {
    const RUN: usize = 32;
    let (mut r, mut g, mut b) = ([0; RUN], [0; RUN], [0; RUN]);
    let lines = y.chunks(RUN).zip(cb.chunks(RUN)).zip(cr.chunks(RUN));
    for (out, ((y, cb), cr)) in out.chunks_mut(RUN * 3).zip(lines) {
        let pad = |samples: &[u8]| -> [u8; RUN] {
            samples.try_into().unwrap_or_else(|_| {
                let mut run = [0; RUN];
                run[..samples.len()].copy_from_slice(samples);
                run
            })
        };
        let (y, cb, cr) = (pad(y), pad(cb), pad(cr));
        for i in 0..RUN {
            let (y, cb, cr) = (i16::from(y[i]), i16::from(cb[i]) - 128, i16::from(cr[i]) - 128);
            let times = |value: i16, constant: i16| i32::from(value) * i32::from(constant);
            let round = |value: i32| ((value + (1 << 15)) >> 16) as i16;
            // 1.402 = 1 + 26345 / 65536; 1.772 = 2 - 14942 / 65536;
            // -0.71414 = -1 + 18734 / 65536; -0.34414 = -22554 / 65536.
            r[i] = (y + cr + round(times(cr, 26345))).clamp(0, 255) as u8;
            g[i] = (y - cr + round(times(cr, 18734) - times(cb, 22554))).clamp(0, 255) as u8;
            b[i] = (y + 2 * cb + round(-times(cb, 14942))).clamp(0, 255) as u8;
        }
        interleave(&r, &g, &b, out);
    }
}

/// Takes ink away from white as Pillow's `convert("RGB")` does: what black
/// leaves, less the colour's share of it.
fn apply_ink(k: &[u8], out: &mut [u8]) {
    for (out, &white) in out.as_chunks_mut::<3>().0.iter_mut().zip(k) {
        for value in out {
            let product = u32::from(*value) * u32::from(white) + 128;
            *value = white - ((product + (product >> 8)) >> 8) as u8;
        }
    }
}
