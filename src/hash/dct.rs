//! The 16 x 16 low-frequency corner of the 64 x 64 discrete cosine transform.
//!
//! In f32 and in the reference's order of summation, from a table: the same
//! bits on every machine, so a hash never depends on the CPU or on a `cos`.

/// Coefficients 1 to 16 of both directions, row (vertical frequency) by row.
pub(super) fn dct_16_of_64(image: &[[f32; 64]; 64]) -> [f32; 256] {
    let mut columns = [[0.0f32; 64]; 16];
    for (basis, out) in BASIS.iter().zip(&mut columns) {
        for (&weight, row) in basis.iter().zip(image) {
            for (sum, &value) in out.iter_mut().zip(row) {
                *sum += weight * value;
            }
        }
    }
    let mut coefficients = [0.0; 256];
    for (row, out) in columns.iter().zip(coefficients.as_chunks_mut::<16>().0) {
        // All sixteen side by side; each in the order of the reference.
        for (&value, basis) in row.iter().zip(&TURNED) {
            for (sum, &weight) in out.iter_mut().zip(basis) {
                *sum += value * weight;
            }
        }
    }
    coefficients
}

/// Row k - 1 holds sqrt(2/64) cos(pi/128 k (2n + 1)) for n = 0..63.
static BASIS: [[f32; 64]; 16] = basis();

/// The same with rows and columns exchanged.
static TURNED: [[f32; 16]; 64] = turned();

const fn turned() -> [[f32; 16]; 64] {
    let (basis, mut table) = (basis(), [[0.0; 16]; 64]);
    let mut at = 0;
    while at < 16 * 64 {
        table[at / 16][at % 16] = basis[at % 16][at / 16];
        at += 1;
    }
    table
}

const fn basis() -> [[f32; 64]; 16] {
    // The reference rounds the scale to f32 before it multiplies in f64.
    const SCALE: f64 = 0.176_776_7_f32 as f64;
    let mut table = [[0.0; 64]; 16];
    let mut k = 0;
    while k < 16 {
        let mut n = 0;
        while n < 64 {
            table[k][n] = (SCALE * cosine((k + 1) * (2 * n + 1))) as f32;
            n += 1;
        }
        k += 1;
    }
    table
}

/// cos(pi/128 m), folded into the first quarter.
const fn cosine(m: usize) -> f64 {
    match m % 256 {
        m @ 0..=64 => QUARTER[m],
        m @ 65..=128 => -QUARTER[128 - m],
        m @ 129..=192 => -QUARTER[m - 128],
        m => QUARTER[256 - m],
    }
}

/// cos(pi/128 m) for m = 0..=64, correctly rounded.
#[rustfmt::skip]
const QUARTER: [f64; 65] = [
    1.0, 0.9996988186962042, 0.9987954562051724, 0.9972904566786902,
    0.9951847266721969, 0.99247953459871, 0.989176509964781, 0.9852776423889412,
    0.9807852804032304, 0.9757021300385286, 0.970031253194544, 0.9637760657954398,
    0.9569403357322088, 0.9495281805930367, 0.9415440651830208, 0.9329927988347388,
    0.9238795325112867, 0.9142097557035307, 0.9039892931234433, 0.8932243011955153,
    0.881921264348355, 0.8700869911087115, 0.8577286100002721, 0.8448535652497071,
    0.8314696123025452, 0.8175848131515837, 0.8032075314806449, 0.7883464276266062,
    0.773010453362737, 0.7572088465064846, 0.7409511253549591, 0.7242470829514669,
    std::f64::consts::FRAC_1_SQRT_2, 0.6895405447370669, 0.6715589548470184, 0.6531728429537768,
    0.6343932841636455, 0.6152315905806268, 0.5956993044924334, 0.5758081914178453,
    0.5555702330196022, 0.5349976198870973, 0.5141027441932218, 0.49289819222978404,
    0.47139673682599764, 0.4496113296546066, 0.4275550934302821, 0.40524131400498986,
    0.3826834323650898, 0.35989503653498817, 0.33688985339222005, 0.31368174039889146,
    0.2902846772544624, 0.26671275747489837, 0.2429801799032639, 0.2191012401568698,
    0.19509032201612828, 0.17096188876030122, 0.14673047445536175, 0.1224106751992162,
    0.0980171403295606, 0.07356456359966743, 0.049067674327418015, 0.024541228522912288,
    0.0,
];
