//! Shuffle sharding: each flow has a hand of a few queues, so that two flows seldom share all of them
//! (k8s.io/apiserver/pkg/util/shufflesharding).

/// Deals hands from a deck of queues.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dealer {
    deck: u64,
    hand: u64,
}

impl Dealer {
    pub fn new(deck: usize, hand: usize) -> Dealer {
        let deck = (deck as u64).max(1);
        Dealer { deck, hand: (hand as u64).clamp(1, deck) }
    }

    /// The queues of a flow, all different; the same for the same hash.
    pub fn deal(&self, mut hash: u64, mut take: impl FnMut(usize)) {
        let mut dealt: Vec<u64> = Vec::with_capacity(self.hand as usize);
        for index in 0..self.hand {
            let left = (self.deck - index).max(1);
            let mut card = hash % left;
            hash /= left;
            // The card-th of those that are left.
            let mut place = 0;
            for known in &dealt {
                if *known > card {
                    break;
                }
                card += 1;
                place += 1;
            }
            dealt.insert(place, card);
            take(usize::try_from(card).unwrap_or(0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hands_have_different_cards_and_all_cards_are_dealt() {
        let dealer = Dealer::new(64, 6);
        let mut dealt = vec![0; 64];
        let mut hash = 1_u64;
        for _ in 0..2000 {
            hash = hash.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (mut hand, mut again) = (vec![], vec![]);
            dealer.deal(hash, |card| hand.push(card));
            dealer.deal(hash, |card| again.push(card));
            assert_eq!(hand, again);
            hand.iter().for_each(|card| dealt[*card] += 1);
            hand.sort_unstable();
            hand.dedup();
            assert_eq!(hand.len(), 6);
        }
        // 2000 × 6 / 64 is 187.
        assert!(dealt.iter().all(|count| (100..300).contains(count)), "{dealt:?}");
    }

    #[test]
    fn a_hand_is_no_larger_than_the_deck() {
        let mut hand = vec![];
        Dealer::new(2, 9).deal(7, |card| hand.push(card));
        hand.sort_unstable();
        assert_eq!(hand, [0, 1]);
    }
}
