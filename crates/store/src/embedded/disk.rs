//! A disk for tests that loses what was not synced, tears writes, fails and fills up, under a seed.

use super::files::{File, Files};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// The same numbers for the same seed.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

#[derive(Debug, Clone)]
enum Change {
    Write(u64, Vec<u8>),
    Truncate(u64),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Change::Truncate(len) => bytes.resize(*len as usize, 0),
            Change::Write(offset, written) => {
                let end = *offset as usize + written.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[*offset as usize..end].copy_from_slice(written);
            }
        }
    }

    /// What a power failure leaves of it: nothing, all, some sectors, or only the file's new length.
    fn apply_torn(&self, bytes: &mut Vec<u8>, random: &mut Random) {
        match (random.below(4), self) {
            (0, _) => {}
            (1, _) | (_, Change::Truncate(_)) => self.apply(bytes),
            (2, Change::Write(offset, written)) => {
                let end = *offset as usize + written.len();
                bytes.resize(bytes.len().max(end), 0);
            }
            (_, Change::Write(offset, written)) => {
                for (at, sector) in written.chunks(512).enumerate() {
                    if random.below(2) == 0 {
                        Change::Write(offset + at as u64 * 512, sector.to_vec()).apply(bytes);
                    }
                }
            }
        }
    }
}

#[derive(Debug, Default, Clone)]
struct Inode {
    durable: Vec<u8>,
    /// What reads return.
    current: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Debug, Clone)]
enum NameChange {
    Link(String, usize),
    Rename(String, String),
    Remove(String),
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            NameChange::Link(name, inode) => drop(names.insert(name.clone(), *inode)),
            NameChange::Remove(name) => drop(names.remove(name)),
            NameChange::Rename(from, to) => {
                if let Some(inode) = names.remove(from) {
                    names.insert(to.clone(), inode);
                }
            }
        }
    }
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fault {
    /// The process ends: this and every later operation fails. What the disk has then is the caller's choice:
    /// [`Disk::after_power_loss`] or [`Disk::after_kill`].
    End,
    /// The same at the next sync of the directory.
    EndBeforeNames,
    /// One sync fails. Of a file, what it covered is lost though it reads back, and the next sync says nothing of it, as
    /// Linux does. Of the directory, nothing becomes durable.
    Sync,
    /// One write fails halfway.
    Write,
    /// One read fails.
    Read,
}

#[derive(Debug)]
struct State {
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    unsynced_names: Vec<NameChange>,
    /// After so many operations.
    fault: Option<(u64, Fault)>,
    ended: bool,
    /// All files together, at most.
    capacity_bytes: u64,
    random: Random,
}

/// The operations that faults tell apart.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Sync,
    Names,
    Write,
    Read,
    Other,
}

impl State {
    /// Counts an operation; says whether it meets a fault of its own kind. Faults wait for an operation of their kind.
    fn step(&mut self, kind: Kind) -> io::Result<bool> {
        if self.ended {
            return Err(io::Error::other("the process has ended"));
        }
        let Some((left, fault)) = &mut self.fault else { return Ok(false) };
        if *left > 0 {
            *left -= 1;
            return Ok(false);
        }
        let meets = match fault {
            Fault::End => true,
            Fault::EndBeforeNames => kind == Kind::Names,
            Fault::Sync => matches!(kind, Kind::Sync | Kind::Names),
            Fault::Write => kind == Kind::Write,
            Fault::Read => kind == Kind::Read,
        };
        if meets {
            self.ended = matches!(fault, Fault::End | Fault::EndBeforeNames);
            self.fault = None;
        }
        if self.ended && kind != Kind::Write { Err(io::Error::other("the process has ended")) } else { Ok(meets) }
    }

    fn change(&mut self, inode: usize, change: Change) {
        change.apply(&mut self.inodes[inode].current);
        self.inodes[inode].unsynced.push(change);
    }

    fn rename(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.unsynced_names.push(change);
    }

    fn used_bytes(&self) -> u64 {
        self.names.values().map(|inode| self.inodes[*inode].current.len() as u64).sum()
    }

    /// How much of a write fits.
    fn room(&self, inode: usize, offset: u64, len: usize) -> usize {
        let now = self.inodes[inode].current.len() as u64;
        let free = self.capacity_bytes.saturating_sub(self.used_bytes());
        let fits = (now + free).saturating_sub(offset);
        usize::try_from(fits).map_or(len, |fits| fits.min(len))
    }
}

/// Called before each operation, with the state unlocked: the moment when others run.
pub(crate) type Interlude = Arc<dyn Fn() + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Disk {
    state: Arc<Mutex<State>>,
    interlude: Option<Interlude>,
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Disk")
    }
}

#[derive(Debug)]
struct Handle(Disk, usize);

impl Disk {
    pub(crate) fn new(seed: u64) -> Disk {
        Disk::of(Vec::new(), BTreeMap::new(), Random::new(seed))
    }

    fn of(inodes: Vec<Inode>, names: BTreeMap<String, usize>, random: Random) -> Disk {
        let (durable_names, unsynced_names) = (names.clone(), Vec::new());
        let (fault, ended, capacity_bytes) = (None, false, u64::MAX);
        let state = State { inodes, names, durable_names, unsynced_names, fault, ended, capacity_bytes, random };
        Disk { state: Arc::new(Mutex::new(state)), interlude: None }
    }

    pub(crate) fn with_interlude(self, interlude: Interlude) -> Disk {
        Disk { interlude: Some(interlude), ..self }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state for an operation, after what happens meanwhile.
    fn operate(&self) -> std::sync::MutexGuard<'_, State> {
        if let Some(interlude) = &self.interlude {
            interlude();
        }
        self.lock()
    }

    pub(crate) fn random(&self, bound: u64) -> u64 {
        self.lock().random.below(bound)
    }

    /// `fault` happens after so many operations.
    pub(crate) fn arm(&self, after: u64, fault: Fault) {
        self.lock().fault = Some((after, fault));
    }

    /// Whether a fault is still to come.
    pub(crate) fn is_armed(&self) -> bool {
        self.lock().fault.is_some()
    }

    pub(crate) fn set_capacity(&self, bytes: u64) {
        self.lock().capacity_bytes = bytes;
    }

    pub(crate) fn used_bytes(&self) -> u64 {
        self.lock().used_bytes()
    }

    /// The disk after the power came back: of what was not synced, any part may be there, by sectors.
    pub(crate) fn after_power_loss(&self) -> Disk {
        let state = self.lock();
        let mut random = state.random.clone();
        let mut names = state.durable_names.clone();
        for change in &state.unsynced_names {
            if random.below(2) == 0 {
                change.apply(&mut names);
            }
        }
        let inodes = state.inodes.iter().map(|inode| {
            let mut bytes = inode.durable.clone();
            inode.unsynced.iter().for_each(|change| change.apply_torn(&mut bytes, &mut random));
            Inode { durable: bytes.clone(), current: bytes, unsynced: Vec::new() }
        });
        let inodes = inodes.collect();
        Disk::of(inodes, names, random)
    }

    /// The disk as the next process finds it: everything reads back as it was written, and what was not synced still is
    /// not. (Files of the process that ended are closed: its handles are not used any more.)
    pub(crate) fn after_kill(&self) -> Disk {
        let state = self.lock();
        let copy = Disk::of(state.inodes.clone(), state.names.clone(), state.random.clone());
        let mut new = copy.lock();
        new.durable_names = state.durable_names.clone();
        new.unsynced_names = state.unsynced_names.clone();
        drop(new);
        copy
    }

    /// Flips a random bit of a random file.
    pub(crate) fn damage(&self, random: &mut Random) {
        let mut state = self.lock();
        let names: Vec<usize> = state.names.values().copied().collect();
        let inode = random.pick(&names);
        let bytes = &mut state.inodes[inode].current;
        let at = random.below(bytes.len() as u64) as usize;
        bytes[at] ^= 1 << random.below(8);
    }
}

fn failed() -> io::Error {
    io::Error::other("input/output error")
}

impl Files for Disk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.lock().names.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn File>> {
        let state = self.lock();
        let inode = state.names.get(name).ok_or(io::Error::from(io::ErrorKind::NotFound))?;
        Ok(Box::new(Handle(self.clone(), *inode)))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn File>> {
        let mut state = self.operate();
        state.step(Kind::Other)?;
        state.inodes.push(Inode::default());
        let inode = state.inodes.len() - 1;
        state.rename(NameChange::Link(name.to_owned(), inode));
        Ok(Box::new(Handle(self.clone(), inode)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.operate();
        state.step(Kind::Other)?;
        state.rename(NameChange::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.operate();
        state.step(Kind::Other)?;
        state.rename(NameChange::Remove(name.to_owned()));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.operate();
        if state.step(Kind::Names)? {
            return Err(failed());
        }
        state.durable_names = state.names.clone();
        state.unsynced_names.clear();
        Ok(())
    }
}

impl File for Handle {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().inodes[self.1].current.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.0.lock();
        if state.step(Kind::Read)? {
            return Err(failed());
        }
        let rest = state.inodes[self.1].current.get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.0.operate();
        let fails = state.step(Kind::Write)?;
        let mut len = state.room(self.1, offset, bytes.len());
        let full = len < bytes.len();
        if fails {
            len = len.min(state.random.below(bytes.len() as u64 + 1) as usize);
        }
        state.change(self.1, Change::Write(offset, bytes[..len].to_vec()));
        match (fails, full) {
            (true, _) => Err(failed()),
            (false, true) => Err(io::Error::new(io::ErrorKind::StorageFull, "no space left on device")),
            (false, false) => Ok(()),
        }
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        let mut state = self.0.operate();
        state.step(Kind::Other)?;
        state.change(self.1, Change::Truncate(len));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.0.operate();
        let fails = state.step(Kind::Sync)?;
        let inode = &mut state.inodes[self.1];
        let unsynced = std::mem::take(&mut inode.unsynced);
        if fails {
            return Err(failed());
        }
        // Only what was written since the last sync: what a failed one lost stays lost.
        unsynced.iter().for_each(|change| change.apply(&mut inode.durable));
        Ok(())
    }
}
