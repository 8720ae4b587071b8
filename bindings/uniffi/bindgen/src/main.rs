//! Writes presend's Kotlin, Swift and Python sources from its library.

fn main() {
    uniffi::uniffi_bindgen_main();
}
