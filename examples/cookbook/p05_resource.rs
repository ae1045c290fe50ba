//! Run: `cargo run --release --example cookbook -- p05`
//!
//! What is acquired is released, also if its user fails.
//!
//! Prints three lines: acquiring, using, releasing.

/// Something that is opened and closed by functions that wait.
struct AsyncResource;

impl AsyncResource {
    async fn acquire() -> AsyncResource {
        println!("Acquiring resource");
        AsyncResource
    }

    async fn release(self) {
        println!("Releasing resource");
    }

    /// Lends the resource to `body`: what other languages write as `async with`.
    async fn with<R>(body: impl AsyncFnOnce(&AsyncResource) -> R) -> R {
        let resource = AsyncResource::acquire().await;
        // Whatever comes back, an error too, is returned after the release.
        let output = body(&resource).await;
        resource.release().await;
        output
    }
}

pub async fn main() {
    // An async closure may borrow what is around it, and wait.
    AsyncResource::with(async |_resource| {
        println!("Using resource");
    })
    .await;
}
