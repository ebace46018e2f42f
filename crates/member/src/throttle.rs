//! How fast new sessions may come. Source: `BlueThrottle`; client-protocol.md §9.3.

/// `connection_throttle_*` of `zoo.cfg`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ThrottleOptions {
    /// `connection_throttle_tokens`: the bucket's size; 0 is off.
    pub tokens: i64,
    /// `connection_throttle_fill_time` in milliseconds.
    pub fill_ms: u64,
    /// `connection_throttle_fill_count`: what is added each time.
    pub fill_count: i64,
    /// `connection_throttle_freeze_time` in milliseconds: how often the drop probability moves; `None` is off.
    pub freeze_ms: Option<u64>,
    /// `connection_throttle_drop_increase`.
    pub drop_increase: f64,
    /// `connection_throttle_drop_decrease`.
    pub drop_decrease: f64,
    /// `connection_throttle_decrease_ratio`: how full the bucket must be for the probability to fall.
    pub decrease_ratio: f64,
    /// What a session costs; all 1 unless `connection_throttle_weight_enabled`.
    pub weights: Weights,
}

/// What a connect request costs, in tokens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Weights {
    /// `connection_throttle_global_session_weight`.
    pub global: i64,
    /// `connection_throttle_renew_session_weight`.
    pub renew: i64,
}

impl Default for ThrottleOptions {
    fn default() -> Self {
        Self {
            tokens: 0,
            fill_ms: 1,
            fill_count: 1,
            freeze_ms: None,
            drop_increase: 0.02,
            drop_decrease: 0.002,
            decrease_ratio: 0.0,
            weights: Weights { global: 1, renew: 1 },
        }
    }
}

/// What a connect request asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    New,
    Renew,
}

/// A token bucket, and before it a gate that turns some away at random while the bucket is low.
#[derive(Debug)]
pub(crate) struct ConnectionThrottle {
    options: ThrottleOptions,
    tokens: i64,
    filled_ms: u64,
    drop_probability: f64,
    frozen_ms: u64,
    random: u64,
}

impl ConnectionThrottle {
    pub(crate) fn new(options: ThrottleOptions, seed: u64) -> Self {
        Self {
            options,
            tokens: options.tokens,
            filled_ms: 0,
            drop_probability: 0.0,
            frozen_ms: 0,
            random: seed | 1,
        }
    }

    pub(crate) fn drop_probability(&self) -> f64 {
        self.drop_probability
    }

    pub(crate) fn admits(&mut self, kind: Kind, now_ms: u64) -> bool {
        if self.options.tokens <= 0 {
            return true;
        }
        self.refill(now_ms);
        if let Some(freeze_ms) = self.options.freeze_ms {
            if now_ms.saturating_sub(self.frozen_ms) > freeze_ms {
                self.frozen_ms = now_ms;
                self.move_probability();
            }
            if self.draw() < self.drop_probability {
                return false;
            }
        }
        let cost = match kind {
            Kind::New => self.options.weights.global,
            Kind::Renew => self.options.weights.renew,
        };
        if self.tokens < cost {
            return false;
        }
        self.tokens -= cost;
        true
    }

    fn refill(&mut self, now_ms: u64) {
        let fill_ms = self.options.fill_ms.max(1);
        let times = now_ms.saturating_sub(self.filled_ms) / fill_ms;
        self.filled_ms += times * fill_ms;
        let added = i64::try_from(times).unwrap_or(i64::MAX).saturating_mul(self.options.fill_count);
        self.tokens = self.tokens.saturating_add(added).min(self.options.tokens);
    }

    fn move_probability(&mut self) {
        let low = self.tokens <= 0;
        let full_enough = percent(self.tokens, self.options.tokens) > self.options.decrease_ratio;
        if low {
            self.drop_probability = (self.drop_probability + self.options.drop_increase).min(1.0);
        } else if full_enough {
            self.drop_probability = (self.drop_probability - self.options.drop_decrease).max(0.0);
        }
    }

    /// An even draw from 0 to 1 (xorshift64*).
    fn draw(&mut self) -> f64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        let high = u32::try_from(self.random.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32).unwrap_or(0);
        f64::from(high) / f64::from(u32::MAX)
    }
}

/// The share of `part` in `whole`, both of a bucket's size.
fn percent(part: i64, whole: i64) -> f64 {
    let small = |tokens: i64| f64::from(i32::try_from(tokens).unwrap_or(i32::MAX));
    small(part) / small(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills() {
        let options = ThrottleOptions { tokens: 2, fill_ms: 10, ..ThrottleOptions::default() };
        let mut throttle = ConnectionThrottle::new(options, 1);
        assert!(throttle.admits(Kind::New, 1));
        assert!(throttle.admits(Kind::Renew, 2));
        assert!(!throttle.admits(Kind::New, 9));
        assert!(throttle.admits(Kind::New, 10));
        assert!(!throttle.admits(Kind::New, 11));
    }

    #[test]
    fn a_gate_that_always_drops_admits_nobody() {
        let options = ThrottleOptions {
            tokens: 1,
            fill_ms: 1_000_000,
            freeze_ms: Some(1),
            drop_increase: 1.0,
            ..ThrottleOptions::default()
        };
        let mut throttle = ConnectionThrottle::new(options, 7);
        assert!(throttle.admits(Kind::New, 0));
        assert!(!throttle.admits(Kind::New, 5));
        assert!(throttle.drop_probability() >= 1.0);
    }
}
