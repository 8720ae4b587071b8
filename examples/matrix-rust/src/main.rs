fn main() { let _ = matrix_sdk::Client::builder(); }
