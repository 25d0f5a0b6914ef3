//! NARs: what the reader accepts, the writer must write again, byte for byte.

use infra::nar::{Event, Reader, Writer};

/// Reads a NAR and writes what was read.
pub fn nar(bytes: &[u8]) {
    let mut events = Vec::new();
    let mut reader = Reader::new(bytes);
    loop {
        match reader.next() {
            Ok(Some(Event::File { executable, size })) => {
                let mut contents = Vec::new();
                if std::io::copy(&mut reader.contents(), &mut contents).is_err() {
                    return;
                }
                events.push((Event::File { executable, size }, contents));
            }
            Ok(Some(event)) => events.push((event, Vec::new())),
            Ok(None) => break,
            Err(_) => return,
        }
    }
    let mut writer = Writer::new(Vec::new());
    let mut events = events.into_iter().peekable();
    write(writer.root(), &mut events);
    assert!(events.next().is_none(), "events after the root");
    assert!(writer.finish().expect("memory") == bytes, "read and written differ");
}

fn write<'a, W: std::io::Write>(
    node: infra::nar::Node<'a, W>,
    events: &mut std::iter::Peekable<impl Iterator<Item = (Event, Vec<u8>)>>,
) {
    match events.next() {
        Some((Event::File { executable, size }, contents)) => {
            let mut file = node.file(executable, size).expect("file");
            file.write(&contents).expect("memory");
            file.finish().expect("whole");
        }
        Some((Event::Symlink(target), _)) => node.symlink(&target).expect("link"),
        Some((Event::Directory, _)) => {
            let mut directory = node.directory().expect("directory");
            while let Some((Event::Entry(name), _)) = events.next_if(|e| e.0 != Event::End) {
                write(directory.entry(&name).expect("in order"), events);
            }
            assert!(matches!(events.next(), Some((Event::End, _))), "no end");
            directory.finish().expect("memory");
        }
        other => panic!("{other:?} instead of a node"),
    }
}
