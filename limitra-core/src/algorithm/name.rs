//! An algorithm, or its name.

use super::Algorithm;
use crate::error::ConfigurationError;

/// An algorithm, or its name: what `algorithm` takes.
pub trait AlgorithmName {
    /// The algorithm.
    ///
    /// # Errors
    /// [`ConfigurationError`] if no algorithm has that name.
    fn algorithm(self) -> Result<Algorithm, ConfigurationError>;
}

impl AlgorithmName for Algorithm {
    fn algorithm(self) -> Result<Algorithm, ConfigurationError> {
        Ok(self)
    }
}

impl AlgorithmName for &str {
    fn algorithm(self) -> Result<Algorithm, ConfigurationError> {
        self.parse()
    }
}

impl AlgorithmName for &String {
    fn algorithm(self) -> Result<Algorithm, ConfigurationError> {
        self.parse()
    }
}

impl AlgorithmName for String {
    fn algorithm(self) -> Result<Algorithm, ConfigurationError> {
        self.parse()
    }
}
