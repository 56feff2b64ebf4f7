use super::*;

const QUEUING: Queuing = Queuing { queues: 16, hand_size: 4, length_max: 20 };

struct Random(u64);

impl Random {
    fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

fn hash(flow: u64) -> u64 {
    Random(flow.wrapping_mul(0x9e37_79b9_7f4a_7c15)).below(u64::MAX).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[test]
fn without_queues_what_does_not_fit_is_rejected() {
    let mut set = QueueSet::new(None, 3);
    assert_eq!(set.arrive(0.0, 1, Work::of_seats(2)), Arrival::Started(1));
    assert_eq!(set.arrive(0.0, 1, Work::of_seats(2)), Arrival::Rejected(Rejection::ConcurrencyLimit));
    assert_eq!(set.arrive(0.0, 1, Work::of_seats(1)), Arrival::Started(2));
    set.finish(1.0, 1, &mut vec![]);
    assert_eq!(
        set.arrive(1.0, 1, Work::of_seats(9)),
        Arrival::Rejected(Rejection::ConcurrencyLimit),
        "cut to the limit, which is not free"
    );
    set.finish(1.0, 2, &mut vec![]);
    assert_eq!(set.arrive(1.0, 1, Work::of_seats(9)), Arrival::Started(3));
    assert_eq!(set.counts().executing_seats, 3);
}

#[test]
fn queues_are_bounded_and_in_order() {
    let mut set = QueueSet::new(Some(Queuing { queues: 1, hand_size: 1, length_max: 2 }), 1);
    assert_eq!(set.arrive(0.0, 1, Work::of_seats(1)), Arrival::Started(1));
    assert_eq!(set.arrive(0.0, 1, Work::of_seats(1)), Arrival::Queued(2));
    assert_eq!(set.arrive(0.0, 1, Work::of_seats(1)), Arrival::Queued(3));
    assert_eq!(set.arrive(0.0, 1, Work::of_seats(1)), Arrival::Rejected(Rejection::QueueFull));
    let mut started = vec![];
    set.finish(1.0, 2, &mut started);
    assert!(started.is_empty(), "it went away while it waited");
    set.finish(1.0, 1, &mut started);
    assert_eq!(started, [3]);
    set.set_limit(1.0, 0, &mut started);
    assert_eq!(
        set.counts(),
        Counts { limit: 0, executing: 1, executing_seats: 1, active_queues: 1, ..Counts::default() }
    );
}

/// Anything happens: the limit holds, nobody is forgotten, and the counts are right.
#[test]
fn nobody_is_lost_and_the_limit_holds() {
    for seed in 0..50 {
        let mut random = Random(seed);
        let limit = 1 + random.below(20) as u32;
        let mut set = QueueSet::new(Some(QUEUING), limit);
        let (mut running, mut waiting) = (vec![], vec![]);
        let mut at = 0.0;
        for _ in 0..2000 {
            at += random.below(10) as f64 / 1000.0;
            let mut started = vec![];
            match random.below(3) {
                0 if !running.is_empty() => {
                    let index = random.below(running.len() as u64) as usize;
                    set.finish(at, running.swap_remove(index), &mut started);
                }
                1 if !waiting.is_empty() && random.below(4) == 0 => {
                    let index = random.below(waiting.len() as u64) as usize;
                    set.finish(at, waiting.swap_remove(index), &mut started);
                }
                _ => match set.arrive(at, hash(random.below(30)), Work::of_seats(1 + random.below(4) as u32)) {
                    Arrival::Started(id) => running.push(id),
                    Arrival::Queued(id) => waiting.push(id),
                    Arrival::Rejected(why) => assert_eq!(why, Rejection::QueueFull),
                },
            }
            for id in started {
                waiting.retain(|other| *other != id);
                running.push(id);
            }
            let counts = set.counts();
            assert!(counts.executing_seats <= limit, "{counts:?}");
            assert_eq!((counts.executing as usize, counts.waiting as usize), (running.len(), waiting.len()));
            assert!(running.len() + waiting.len() == 0 || !running.is_empty(), "somebody waits for nobody");
        }
        while let Some(id) = running.pop() {
            at += 0.01;
            let mut started = vec![];
            set.finish(at, id, &mut started);
            waiting.retain(|other| !started.contains(other));
            running.extend(started);
        }
        assert!(waiting.is_empty());
        assert_eq!(set.counts(), Counts { limit, ..Counts::default() });
    }
}

/// One flow always has many requests that wait, three others one each: all four are served the same.
#[test]
fn a_flow_that_sends_much_gets_no_more_than_others() {
    let mut set = QueueSet::new(Some(Queuing { queues: 128, hand_size: 6, length_max: 1000 }), 4);
    let mut flow_of = HashMap::new();
    let mut served = [0_u32; 4];
    let mut running = VecDeque::new();
    let send = |set: &mut QueueSet, at: f64, flow: usize, flow_of: &mut HashMap<u64, usize>| {
        let arrival = set.arrive(at, hash(flow as u64 + 1), Work::of_seats(1));
        let (Arrival::Started(id) | Arrival::Queued(id)) = arrival else { panic!("{arrival:?}") };
        flow_of.insert(id, flow);
        matches!(arrival, Arrival::Started(_)).then_some(id)
    };
    for flow in [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3] {
        running.extend(send(&mut set, 0.0, flow, &mut flow_of));
    }
    let mut at = 0.0;
    for _ in 0..4000 {
        at += 0.01;
        let Some(id) = running.pop_front() else { break };
        let flow = flow_of.remove(&id).expect("its flow");
        served[flow] += 1;
        let mut started = vec![];
        set.finish(at, id, &mut started);
        running.extend(started);
        // Each comes back at once; the first with more than it had.
        running.extend(send(&mut set, at, flow, &mut flow_of));
        if flow == 0 && set.counts().waiting < 200 {
            running.extend(send(&mut set, at, flow, &mut flow_of));
        }
    }
    assert_eq!(served.iter().sum::<u32>(), 4000);
    // The first has a hand of six queues, the others one request each in theirs: no more than its queues' share.
    let others = &served[1..];
    assert!(others.iter().all(|count| *count > 500) && served[0] < 2000, "{served:?}");
    let (least, most) = (others.iter().min().expect("some"), others.iter().max().expect("some"));
    assert!(most - least < least / 4, "{served:?}");
}

#[test]
fn watchers_are_told_after_the_answer() {
    let mut set = QueueSet::new(Some(Queuing { queues: 1, hand_size: 1, length_max: 9 }), 4);
    let wide = Work { seats: 1, last_seats: 3, last_seconds: 0.5 };
    assert_eq!(set.arrive(0.0, 1, wide), Arrival::Started(1));
    assert_eq!(set.arrive(0.0, 1, Work::of_seats(2)), Arrival::Queued(2), "it has its three seats from the start");
    let mut started = vec![];
    assert_eq!(set.finish(1.0, 1, &mut started), Some(0.5));
    assert_eq!((set.counts().executing, set.counts().executing_seats, started.len()), (0, 3, 0));
    set.release(1.5, 1, &mut started);
    assert_eq!((started.as_slice(), set.counts().executing_seats), ([2].as_slice(), 2));
    assert_eq!(set.finish(2.0, 2, &mut started), None);
    assert_eq!(set.counts(), Counts { limit: 4, ..Counts::default() });
}

#[test]
fn the_exempt_are_counted_only() {
    let mut set = QueueSet::exempt();
    for id in 1..=100 {
        assert_eq!(set.arrive(0.0, 1, Work::of_seats(7)), Arrival::Started(id));
    }
    assert_eq!(set.counts().executing_seats, 700);
    assert_eq!(set.demand.settle(1.0).high, 700.0);
}
