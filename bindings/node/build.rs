//! Tells the linker what an addon leaves for Node to fill in.

fn main() {
    napi_build::setup();
}
