//! A static program of some hundred bytes: says a text, then waits for a signal.

/// The program, for this machine.
pub(super) fn says(text: &str) -> Vec<u8> {
    const BASE: u64 = 0x40_0000;
    const CODE: u64 = 0x80;
    let code = code(u32::try_from(text.len()).expect("short"));
    let size = CODE + (code.len() + text.len()) as u64;
    let mut out: Vec<u8> = b"\x7fELF\x02\x01\x01".to_vec();
    out.resize(16, 0);
    let machine: u16 = if cfg!(target_arch = "x86_64") { 62 } else { 183 };
    for half in [2, machine] {
        out.extend(half.to_le_bytes());
    }
    out.extend(1u32.to_le_bytes());
    for wide in [BASE + CODE, 64, 0] {
        out.extend(wide.to_le_bytes());
    }
    out.extend(0u32.to_le_bytes());
    for half in [64u16, 56, 1, 64, 0, 0] {
        out.extend(half.to_le_bytes());
    }
    for word in [1u32, 5] {
        out.extend(word.to_le_bytes());
    }
    for wide in [0, BASE, BASE, size, size, 0x10000] {
        out.extend(wide.to_le_bytes());
    }
    out.resize(CODE as usize, 0);
    out.extend(code);
    out.extend(text.as_bytes());
    out
}

/// `write(1, text, length)`, then waits for good.
#[cfg(target_arch = "x86_64")]
fn code(length: u32) -> Vec<u8> {
    // mov eax, 1; mov edi, 1; lea rsi, [rip + 16]; mov edx, length; syscall
    let mut code = vec![0xb8, 1, 0, 0, 0, 0xbf, 1, 0, 0, 0, 0x48, 0x8d, 0x35, 16, 0, 0, 0, 0xba];
    code.extend(length.to_le_bytes());
    code.extend([0x0f, 0x05]);
    // again: mov eax, 34 (pause); syscall; jmp again
    code.extend([0xb8, 34, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7]);
    code
}

#[cfg(target_arch = "aarch64")]
fn code(length: u32) -> Vec<u8> {
    let steps: [u32; 12] = [
        0xd280_0808,               // mov x8, #64 (write)
        0xd280_0020,               // mov x0, #1
        0x1000_0141,               // adr x1, text
        0xd280_0002 | length << 5, // mov x2, #length
        0xd400_0001,               // svc #0
        0xd280_0928,               // again: mov x8, #73 (ppoll)
        0xd280_0000,               // mov x0, #0
        0xd280_0001,               // mov x1, #0
        0xd280_0002,               // mov x2, #0
        0xd280_0003,               // mov x3, #0
        0xd400_0001,               // svc #0
        0x17ff_fffa,               // b again
    ];
    steps.into_iter().flat_map(u32::to_le_bytes).collect()
}
