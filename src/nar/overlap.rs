//! Bytes from one place to another, both at work at once.
//!
//! Reading or inflating a large file and hashing it are two jobs of similar size: done in turn,
//! the hash waits. Here a helper thread fills buffers while the caller's thread takes them, in
//! order. Small files, a single processor, or a system that gives no thread: in turn after all.
//! Invariant: the taker sees the same bytes in either case.

use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

/// Small enough to stay in a core's second-level cache between filling and hashing, large enough
/// that system calls do not count.
pub const BUFFER: usize = 256 * 1024;

/// Buffers in flight.
const BUFFERS: usize = 4;

/// Sizes from which a thread pays for itself.
const LARGE: u64 = 2 << 20;

/// Hands everything that `fill` gives to `take`. `fill` returns how many bytes of the buffer it
/// filled, 0 at the end; `size` is the number of bytes expected, as advice; `buffer` is used again
/// by the next call.
///
/// # Errors
/// The first error of either; bytes filled before it were taken.
pub fn pass<E: Send>(
    size: u64,
    buffer: &mut Vec<u8>,
    fill: impl FnMut(&mut [u8]) -> Result<usize, E> + Send,
    take: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    if size < LARGE || !several_processors() {
        buffer.resize(BUFFER, 0);
        return in_turn(buffer, fill, take);
    }
    at_once(fill, take)
}

fn in_turn<E>(
    buffer: &mut [u8],
    mut fill: impl FnMut(&mut [u8]) -> Result<usize, E>,
    mut take: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    loop {
        match fill(buffer)? {
            0 => return Ok(()),
            n => take(&buffer[..n])?,
        }
    }
}

fn at_once<E: Send>(
    fill: impl FnMut(&mut [u8]) -> Result<usize, E> + Send,
    mut take: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    // In a mutex, so that it is still ours when no thread can be had.
    let fill = Mutex::new(fill);
    thread::scope(|scope| {
        let (full_in, full) = sync_channel::<(Vec<u8>, Result<usize, E>)>(BUFFERS);
        let (empty, empty_out) = channel::<Vec<u8>>();
        let shared = &fill;
        let worker = move || {
            let mut fill = shared.lock().unwrap_or_else(PoisonError::into_inner);
            // Either channel closing means that the taker has given up.
            while let Ok(mut buffer) = empty_out.recv() {
                let filled = fill(&mut buffer);
                let more = matches!(filled, Ok(n) if n > 0);
                if full_in.send((buffer, filled)).is_err() || !more {
                    break;
                }
            }
        };
        let spawned = thread::Builder::new().name("fill".into()).spawn_scoped(scope, worker);
        if spawned.is_err() {
            let mut fill = shared.lock().unwrap_or_else(PoisonError::into_inner);
            return in_turn(&mut vec![0; BUFFER], &mut *fill, take);
        }
        for _ in 0..BUFFERS {
            let _ = empty.send(vec![0; BUFFER]);
        }
        while let Ok((buffer, filled)) = full.recv() {
            match filled? {
                0 => break,
                n => take(&buffer[..n])?,
            }
            let _ = empty.send(buffer);
        }
        Ok(())
    })
}

fn several_processors() -> bool {
    static SEVERAL: OnceLock<bool> = OnceLock::new();
    *SEVERAL.get_or_init(|| thread::available_parallelism().is_ok_and(|n| n.get() > 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Ways = [(&'static str, fn(&[u8], usize, usize) -> (Vec<u8>, Result<(), String>)); 2];

    /// Passes `bytes`; the filler fails after `fill` bytes, the taker after `take`.
    const WAYS: Ways = [
        ("in turn", |bytes, fill, take| {
            let mut got = Vec::new();
            let result = in_turn(&mut vec![0; BUFFER], filler(bytes, fill), taker(&mut got, take));
            (got, result)
        }),
        ("at once", |bytes, fill, take| {
            let mut got = Vec::new();
            let result = at_once(filler(bytes, fill), taker(&mut got, take));
            (got, result)
        }),
    ];

    fn filler(
        mut bytes: &[u8],
        fail_after: usize,
    ) -> impl FnMut(&mut [u8]) -> Result<usize, String> + Send {
        let mut given = 0;
        move |buffer| {
            if given >= fail_after {
                return Err("fill".into());
            }
            let n = bytes.len().min(buffer.len());
            buffer[..n].copy_from_slice(&bytes[..n]);
            bytes = &bytes[n..];
            given += n;
            Ok(n)
        }
    }

    fn taker(got: &mut Vec<u8>, fail_after: usize) -> impl FnMut(&[u8]) -> Result<(), String> {
        move |part| {
            got.extend_from_slice(part);
            if got.len() >= fail_after { Err("take".into()) } else { Ok(()) }
        }
    }

    #[test]
    fn both_ways_pass_the_same() {
        let bytes: Vec<u8> = (0..10 * BUFFER + 17).map(|i| (i / 5) as u8).collect();
        for (way, pass) in WAYS {
            for len in [0, 1, BUFFER, BUFFER + 1, bytes.len()] {
                let (got, result) = pass(&bytes[..len], usize::MAX, usize::MAX);
                assert_eq!(result, Ok(()), "{way}");
                assert!(got == bytes[..len], "{way} {len}");
            }
            let (got, result) = pass(&bytes, 3 * BUFFER, usize::MAX);
            assert_eq!(result, Err("fill".into()), "{way}");
            assert!(got == bytes[..3 * BUFFER], "{way}");
            let (got, result) = pass(&bytes, usize::MAX, 2 * BUFFER);
            assert_eq!(result, Err("take".into()), "{way}");
            assert_eq!(got.len(), 2 * BUFFER, "{way}");
        }
    }
}
