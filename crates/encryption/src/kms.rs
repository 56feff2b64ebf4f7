//! Keys that a service keeps (KMS v2, k8s.io/apiserver/pkg/storage/value/encrypt/envelope/kmsv2).
//!
//! The service never sees an object: it seals a seed, which lies in every object's envelope, and objects' keys are made
//! from the seed here. A thread of its own asks the service how it is, and for a new seed when its key has changed; so
//! sealing never waits. Opening waits when a seed is seen for the first time.

use std::collections::HashMap;
use std::sync::mpsc as blocking;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use grpc::{Connection, Malformed, Settings, framed};
use ring::digest::{SHA256, digest};
use tokio::net::UnixStream;
use tokio::sync::mpsc;

use crate::cipher::{Cipher, SEED_BYTES, Why, random};
use crate::config::KmsConfig;
use crate::messages::{self, EncryptedObject, Source, SourceType, Status, check_key_id};

pub(crate) const PREFIX: &str = "k8s:enc:kms:v2:";
const SERVICE: &str = "/v2.KeyManagementService/";
const VERSIONS: &[&str] = &["v2", "v2beta1"];

/// How often the service is asked how it is.
const POLL_PERIOD: Duration = Duration::from_secs(60);
const POLL_PERIOD_FAILING: Duration = Duration::from_secs(10);
/// How long a seed is used without word from the service.
const SEED_TIME_MAX: Duration = Duration::from_secs(180);
/// Seeds that were opened and are remembered.
const SEEDS_MAX: usize = 4096;
const ASKS_MAX: usize = 256;
const PING_PERIOD: Duration = Duration::from_secs(30);

pub(crate) struct Kms {
    pub(crate) config: KmsConfig,
    shared: Arc<Shared>,
    asks: mpsc::Sender<Ask>,
}

struct Shared {
    name: String,
    seed: RwLock<Option<Arc<Seed>>>,
    health: Mutex<Result<(), Why>>,
    /// By the digest of their sources.
    opened: Mutex<HashMap<[u8; 32], Arc<Cipher>>>,
}

/// What objects are sealed with now.
struct Seed {
    cipher: Arc<Cipher>,
    source: Source,
    expires: Mutex<Instant>,
}

/// A seed or key to be opened.
struct Ask {
    source: Source,
    tell: blocking::SyncSender<Result<Bytes, Why>>,
}

impl std::fmt::Debug for Kms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kms").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Kms {
    /// Asks the service once, and goes on asking until this is dropped. A service that is not there yet is no error
    /// here: nothing can be sealed until it is.
    pub(crate) fn start(config: KmsConfig) -> Result<Kms, Why> {
        let shared = Arc::new(Shared {
            name: config.name.clone(),
            seed: RwLock::default(),
            health: Mutex::new(Err("the service was not asked yet".into())),
            opened: Mutex::default(),
        });
        let (asks, asked) = mpsc::channel(ASKS_MAX);
        let (tell, told) = blocking::sync_channel(1);
        let service = Service { config: config.clone(), connection: None };
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|why| why.to_string())?;
        let thread = std::thread::Builder::new().name(format!("kms-{}", config.name));
        let followed = shared.clone();
        thread
            .spawn(move || runtime.block_on(follow(service, followed, asked, tell)))
            .map_err(|why| why.to_string())?;
        // Bounded by the service's own timeouts.
        let _ = told.recv();
        Ok(Kms { config, shared, asks })
    }

    /// Whether the service is well.
    pub(crate) fn health(&self) -> Result<(), Why> {
        self.shared.health.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The mark of what is sealed now; 0 while that is nothing.
    pub(crate) fn mark(&self) -> u32 {
        self.shared.seed().map_or(0, |seed| self.mark_of(&seed.source))
    }

    fn mark_of(&self, source: &Source) -> u32 {
        let text = format!("{PREFIX}{}:{:?}:{}", self.config.name, source.kind, source.key_id);
        crc32c::crc32c(text.as_bytes()).max(1)
    }

    /// Appends the envelope; gives its mark.
    pub(crate) fn seal(&self, plain: &[u8], store_key: &[u8], out: &mut Vec<u8>) -> Result<u32, Why> {
        let seed = self.shared.seed().ok_or("got unexpected nil transformer")?;
        if Instant::now() > *seed.expires.lock().unwrap_or_else(PoisonError::into_inner) {
            let why = self.health().err().unwrap_or_default();
            return Err(format!("the encryptedDEKSource of KMS provider {} has expired: {why}", self.config.name));
        }
        let mut data = Vec::with_capacity(plain.len() + 64);
        seed.cipher.seal(plain, store_key, &mut data)?;
        out.extend(EncryptedObject { data: data.into(), source: seed.source.clone() }.to_bytes());
        Ok(self.mark_of(&seed.source))
    }

    /// The plain bytes and their mark.
    pub(crate) fn open(&self, sealed: Bytes, store_key: &[u8]) -> Result<(Vec<u8>, u32), Why> {
        let object = EncryptedObject::read(sealed)?;
        let cipher = self.cipher_of(&object.source)?;
        Ok((cipher.open(&object.data, store_key)?, self.mark_of(&object.source)))
    }

    fn cipher_of(&self, source: &Source) -> Result<Arc<Cipher>, Why> {
        if let Some(seed) = self.shared.seed().filter(|seed| seed.source == *source) {
            return Ok(seed.cipher.clone());
        }
        let known = digest_of(source);
        if let Some(cipher) = self.shared.opened.lock().unwrap_or_else(PoisonError::into_inner).get(&known) {
            return Ok(cipher.clone());
        }
        let plain = self.ask(source.clone()).map_err(|why| format!("failed to decrypt DEK, error: {why}"))?;
        let cipher = match source.kind {
            SourceType::Seed => Cipher::seeded(&plain),
            SourceType::Key => Cipher::gcm(&plain),
        };
        let cipher =
            Arc::new(cipher.ok_or_else(|| format!("invalid seed length {} used for key generation", plain.len()))?);
        let mut opened = self.shared.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if opened.len() >= SEEDS_MAX {
            opened.clear();
        }
        opened.insert(known, cipher.clone());
        Ok(cipher)
    }

    /// Waits for the service, at most twice its timeout: what it is asked meanwhile is answered first.
    fn ask(&self, source: Source) -> Result<Bytes, Why> {
        let (tell, told) = blocking::sync_channel(1);
        self.asks.try_send(Ask { source, tell }).map_err(|_| "too many keys are being opened".to_owned())?;
        told.recv_timeout(self.config.timeout.saturating_mul(2)).map_err(|_| "context deadline exceeded".to_owned())?
    }
}

impl Shared {
    fn seed(&self) -> Option<Arc<Seed>> {
        self.seed.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn digest_of(source: &Source) -> [u8; 32] {
    let mut text = vec![u8::from(source.kind == SourceType::Seed)];
    let parts = source.annotations.iter().flat_map(|(key, value)| [key.as_bytes(), value]);
    for part in [source.key_id.as_bytes(), &source.sealed].into_iter().chain(parts) {
        text.extend_from_slice(&(part.len() as u64).to_le_bytes());
        text.extend_from_slice(part);
    }
    let mut known = [0; 32];
    known.copy_from_slice(digest(&SHA256, &text).as_ref());
    known
}

/// The thread's work, until nobody has the other end of `asked`.
async fn follow(
    mut service: Service,
    shared: Arc<Shared>,
    mut asked: mpsc::Receiver<Ask>,
    first: blocking::SyncSender<()>,
) {
    let mut first = Some(first);
    loop {
        let polled = service.poll(&shared).await;
        let period = if polled.is_ok() { POLL_PERIOD } else { POLL_PERIOD_FAILING };
        if let Err(why) = &polled {
            tracing::error!(why, provider = shared.name, "key service");
        }
        *shared.health.lock().unwrap_or_else(PoisonError::into_inner) = polled;
        first.take().map(|first| first.send(()));
        let next = tokio::time::sleep(period);
        tokio::pin!(next);
        loop {
            tokio::select! {
                () = &mut next => break,
                ask = asked.recv() => match ask {
                    // Whoever does not wait any more does not mind.
                    Some(ask) => drop(ask.tell.send(service.decrypt(&ask.source).await)),
                    None => return,
                },
            }
        }
    }
}

/// The other end of the socket.
struct Service {
    config: KmsConfig,
    connection: Option<Connection>,
}

impl Service {
    /// Asks how the service is, and has a seed sealed when there is none under its current key.
    async fn poll(&mut self, shared: &Shared) -> Result<(), Why> {
        let name = &shared.name;
        let answer = self.call("Status", &[]).await.map_err(|why| {
            format!("failed to perform status section of the healthz check for KMS Provider {name}, error: {why}")
        })?;
        let status = Status::read(answer).map_err(|Malformed| "malformed StatusResponse")?;
        check_status(&status).map_err(|why| format!("kmsv2 Provider {name} is not healthy, error: {why}"))?;
        let expires = Instant::now() + SEED_TIME_MAX;
        match shared.seed().filter(|seed| seed.source.key_id == status.key_id) {
            Some(seed) => *seed.expires.lock().unwrap_or_else(PoisonError::into_inner) = expires,
            None => {
                let seed = Arc::new(self.new_seed(expires).await?);
                *shared.seed.write().unwrap_or_else(PoisonError::into_inner) = Some(seed);
                tracing::info!(provider = name, "objects are sealed with a new key from here on");
            }
        }
        Ok(())
    }

    async fn new_seed(&mut self, expires: Instant) -> Result<Seed, Why> {
        let seed: [u8; SEED_BYTES] = random()?;
        let answer = self.call("Encrypt", &messages::encrypt_request(&seed, &new_uid()?)).await;
        let answer = answer.map_err(|why| format!("failed to encrypt DEK, error: {why}"))?;
        let source = messages::read_encrypted(answer).map_err(|Malformed| "malformed EncryptResponse")?;
        source.check()?;
        let cipher = Cipher::seeded(&seed).ok_or("no key can be made from the seed")?;
        Ok(Seed { cipher: Arc::new(cipher), source, expires: Mutex::new(expires) })
    }

    async fn decrypt(&mut self, source: &Source) -> Result<Bytes, Why> {
        let answer = self.call("Decrypt", &messages::decrypt_request(source, &new_uid()?)).await?;
        messages::read_decrypted(answer).map_err(|Malformed| "malformed DecryptResponse".to_owned())
    }

    async fn call(&mut self, method: &str, message: &[u8]) -> Result<Bytes, Why> {
        let timeout = self.config.timeout;
        let called = async {
            let connection = self.connect().await?;
            let answered = connection.call(&format!("{SERVICE}{method}"), framed(message)).await;
            answered.map_err(|why| why.to_string())
        };
        let called = tokio::time::timeout(timeout, called).await;
        let called = called.unwrap_or_else(|_| Err(grpc::Error::timed_out(true).to_string()));
        if called.is_err() {
            self.connection = None;
        }
        called
    }

    async fn connect(&mut self) -> Result<Connection, Why> {
        if let Some(open) = self.connection.as_ref().filter(|open| !open.is_closed()) {
            return Ok(open.clone());
        }
        let socket = &self.config.socket;
        let stream = open_socket(socket).await;
        let stream = stream.map_err(|why| format!("dial unix {socket}: {why}"))?;
        let settings = Settings {
            base: "http://localhost".into(),
            headers: &[],
            ping_period: PING_PERIOD,
            ping_timeout: self.config.timeout,
        };
        let connection = Connection::begin(stream, settings).await.map_err(|why| why.to_string())?;
        self.connection = Some(connection.clone());
        Ok(connection)
    }
}

async fn open_socket(socket: &str) -> std::io::Result<UnixStream> {
    match socket.strip_prefix('@') {
        None => UnixStream::connect(socket).await,
        Some(name) => {
            use std::os::linux::net::SocketAddrExt as _;
            let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
            let stream = std::os::unix::net::UnixStream::connect_addr(&address)?;
            stream.set_nonblocking(true)?;
            UnixStream::from_std(stream)
        }
    }
}

fn check_status(status: &Status) -> Result<(), Why> {
    let mut wrong = vec![];
    if status.healthz != "ok" {
        wrong.push(format!("got unexpected healthz status: {}", status.healthz));
    }
    if !VERSIONS.contains(&status.version.as_str()) {
        wrong.push(format!("expected KMSv2 API version {}, got {}", VERSIONS.join(" or "), status.version));
    }
    if let Err(why) = check_key_id(&status.key_id) {
        wrong.push(format!("got invalid KMSv2 KeyID hash: {why}"));
    }
    match wrong.as_slice() {
        [] => Ok(()),
        [one] => Err(one.clone()),
        many => Err(format!("[{}]", many.join(", "))),
    }
}

/// For the service's log.
fn new_uid() -> Result<String, Why> {
    Ok(format!("{:032x}", u128::from_le_bytes(random()?)))
}
