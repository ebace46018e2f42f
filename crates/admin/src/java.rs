//! How Java writes numbers and addresses, since tools read them in that form.

use alloc::format;
use core::fmt;
use core::net::{IpAddr, SocketAddr};

/// A number as Java's `Double.toString` writes it: always with a fraction, `1.0E7` from ten million on and
/// `1.0E-4` below a thousandth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Double(pub f64);

impl fmt::Display for Double {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.0.abs();
        if magnitude.is_infinite() {
            return f.write_str(if self.0 > 0.0 { "Infinity" } else { "-Infinity" });
        }
        if self.0.is_nan() || magnitude == 0.0 || (1e-3..1e7).contains(&magnitude) {
            return write!(f, "{:?}", self.0);
        }
        let scientific = format!("{:e}", self.0);
        let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        let fraction = if mantissa.contains('.') { "" } else { ".0" };
        write!(f, "{mantissa}{fraction}E{exponent}")
    }
}

/// A peer's address as Java 14 and later write an `InetSocketAddress` without a name: `/127.0.0.1:2181`,
/// `/[0:0:0:0:0:0:0:1]:2181`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Address(pub SocketAddr);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.0.port();
        match self.0.ip().to_canonical() {
            IpAddr::V4(ip) => write!(f, "/{ip}:{port}"),
            IpAddr::V6(ip) => {
                f.write_str("/[")?;
                for (index, group) in ip.segments().into_iter().enumerate() {
                    let colon = if index == 0 { "" } else { ":" };
                    write!(f, "{colon}{group:x}")?;
                }
                if let SocketAddr::V6(v6) = self.0
                    && v6.scope_id() != 0
                {
                    write!(f, "%{}", v6.scope_id())?;
                }
                write!(f, "]:{port}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn doubles_read_as_java_writes_them() {
        for (number, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (6.0952, "6.0952"),
            (0.001, "0.001"),
            (0.0009, "9.0E-4"),
            (9_999_999.5, "9999999.5"),
            (10_000_000.0, "1.0E7"),
            (-12_345_678.9, "-1.23456789E7"),
            (1.7e9, "1.7E9"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(Double(number).to_string(), text);
        }
    }

    #[test]
    fn addresses_read_as_java_writes_them() {
        for (address, text) in [
            ("127.0.0.1:35624", "/127.0.0.1:35624"),
            ("[::1]:2181", "/[0:0:0:0:0:0:0:1]:2181"),
            ("[::ffff:10.0.0.7]:9", "/10.0.0.7:9"),
            ("[2001:db8::a%4]:1", "/[2001:db8:0:0:0:0:0:a%4]:1"),
        ] {
            assert_eq!(Address(address.parse().unwrap()).to_string(), text);
        }
    }
}
