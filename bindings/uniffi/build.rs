//! Tells the linker what systems want of a shared library.

fn main() {
    let of = |name: &str| std::env::var(name).unwrap_or_default();
    // Android 15 has devices with pages of 16 KB, and Play asks for them.
    if matches!(of("CARGO_CFG_TARGET_OS").as_str(), "android" | "linux") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,max-page-size=16384");
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libpresend_uniffi.so");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
