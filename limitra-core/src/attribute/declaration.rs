//! What an attribute says once, and the plan that follows from it.

use std::borrow::Cow;
use std::time::Duration;

use smallvec::SmallVec;

use super::limits::OneLimit;
use crate::algorithm::{Algorithm, AlgorithmName};
use crate::backend::{Backend, BackendName};
use crate::decide::Desk;
use crate::decision::Scope;
use crate::error::ConfigurationError;
use crate::handle::Limitra;
use crate::key::{KeyFields, KeySpace};
use crate::limit::Limit;
use crate::measured::Tally;
use crate::notation::parse_many;
use crate::number::{self, Amount, Seconds};
use crate::outage::{OnOutage, OutagePolicy, Outages, local_share};
use crate::rule::{Rule, rules_of};
use crate::storage::AnyStorage;
use crate::straight::Straight;

/// What an attribute says once: run at the first call of its function.
#[derive(Debug, Default)]
pub struct Declaration {
    function: &'static str,
    backend: Option<Backend>,
    storage: Option<AnyStorage>,
    fail_open: Option<bool>,
    on_outage: Option<OnOutage>,
    layers: Vec<LayerDeclaration>,
    mistake: Option<ConfigurationError>,
}

/// What one of the stacked attributes says.
#[derive(Debug, Default)]
struct LayerDeclaration {
    name: Option<String>,
    scope: Option<String>,
    project: Option<String>,
    prefix: Option<String>,
    suffix: Option<String>,
    keyed: bool,
    dynamic: bool,
    algorithm: Option<Algorithm>,
    limits: Vec<Limit>,
    burst: Option<u64>,
    cost: Option<u64>,
}

/// What calls of one function have in common.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) function: &'static str,
    pub(super) enabled: bool,
    pub(super) desk: Desk,
    /// The way of nearly every call: one layer that says all but the key beforehand, on memory.
    pub(super) straight: Option<Straight>,
    pub(super) layers: Vec<Layer>,
}

/// What calls have in common for one of the stacked attributes.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) space: KeySpace,
    pub(super) scope: String,
    pub(super) algorithm: Algorithm,
    /// None if they come with each call.
    pub(super) rules: Option<SmallVec<[Rule; 1]>>,
    pub(super) burst: Option<u64>,
    pub(super) cost: u64,
}

impl Declaration {
    /// The function's bare name, for messages.
    pub fn function(&mut self, name: &'static str) {
        self.function = name;
    }

    /// `backend = ".."`.
    pub fn backend(&mut self, name: impl BackendName) {
        match name.backend() {
            Ok(backend) => self.backend = Some(backend),
            Err(mistake) => self.note(mistake),
        }
    }

    /// `redis_client = ..`.
    #[cfg(feature = "redis")]
    pub fn redis_client(&mut self, client: impl Into<crate::storage::redis::RedisClient>) {
        if self.storage.is_some() {
            self.note(ConfigurationError::TwoSources { one: "storage", other: "redis_client" });
        }
        self.storage = Some(crate::storage::redis::RedisStorage::new(client).into());
    }

    /// `storage = ..`.
    pub fn storage(&mut self, storage: impl Into<AnyStorage>) {
        if self.storage.is_some() {
            self.note(ConfigurationError::TwoSources { one: "storage", other: "redis_client" });
        }
        self.storage = Some(storage.into());
    }

    /// `fail_open = ..`.
    pub fn fail_open(&mut self, fail_open: bool) {
        self.fail_open = Some(fail_open);
    }

    /// `on_outage = ..`.
    pub fn on_outage(&mut self, policy: impl OutagePolicy) {
        match policy.on_outage() {
            Ok(policy) => self.on_outage = Some(policy),
            Err(mistake) => self.note(mistake),
        }
    }

    /// Begins the next of the stacked attributes.
    pub fn layer(&mut self) {
        self.layers.push(LayerDeclaration::default());
    }

    /// `name = ".."`.
    pub fn name(&mut self, name: impl Into<String>) {
        let name = name.into();
        self.latest(|layer| layer.name = Some(name));
    }

    /// `scope = ".."`.
    pub fn scope(&mut self, scope: impl Into<String>) {
        let scope = scope.into();
        self.latest(|layer| layer.scope = Some(scope));
    }

    /// `project = ".."`.
    pub fn project(&mut self, project: impl Into<String>) {
        let project = project.into();
        self.latest(|layer| layer.project = Some(project));
    }

    /// `prefix = ".."`.
    pub fn prefix(&mut self, prefix: impl Into<String>) {
        let prefix = prefix.into();
        self.latest(|layer| layer.prefix = Some(prefix));
    }

    /// `suffix = ".."`.
    pub fn suffix(&mut self, suffix: impl Into<String>) {
        let suffix = suffix.into();
        self.latest(|layer| layer.suffix = Some(suffix));
    }

    /// There is a `key`.
    pub fn keyed(&mut self) {
        self.latest(|layer| layer.keyed = true);
    }

    /// `algorithm = ".."`.
    pub fn algorithm(&mut self, algorithm: impl AlgorithmName) {
        match algorithm.algorithm() {
            Ok(algorithm) => self.latest(|layer| layer.algorithm = Some(algorithm)),
            Err(mistake) => self.note(mistake),
        }
    }

    /// One limit.
    pub fn limit(&mut self, requests: impl Amount, window: impl Seconds) {
        match static_limit(requests, window) {
            Ok(limit) => self.latest(|layer| layer.limits.push(limit)),
            Err(mistake) => self.note(mistake),
        }
    }

    /// `limits = expr`, an element of it.
    pub(super) fn one_limit(&mut self, limit: impl OneLimit) {
        match limit.limit() {
            Ok(limit) => self.latest(|layer| layer.limits.push(limit)),
            Err(mistake) => self.note(mistake),
        }
    }

    /// `limits = ".."`.
    pub fn notation(&mut self, notation: &str) {
        match parse_many(notation) {
            Ok(limits) => self.latest(|layer| layer.limits.extend(limits.iter().map(Limit::from))),
            Err(mistake) => self.note(mistake),
        }
    }

    /// `burst = ..`.
    pub fn burst(&mut self, burst: impl Amount) {
        match number::amount("burst", burst) {
            Ok(burst) => self.latest(|layer| layer.burst = Some(burst)),
            Err(mistake) => self.note(mistake),
        }
    }

    /// `cost = ..`, evaluated once.
    pub fn cost(&mut self, cost: impl Amount) {
        match cost.amount() {
            Ok(cost) => self.latest(|layer| layer.cost = Some(cost)),
            Err(value) => self.note(ConfigurationError::NotAnAmount { what: "cost", value }),
        }
    }

    /// The limits come with each call.
    pub fn dynamic(&mut self) {
        self.latest(|layer| layer.dynamic = true);
    }

    pub(super) fn plan(self, path: &str, limitra: &Limitra) -> Result<Plan, ConfigurationError> {
        if let Some(mistake) = self.mistake {
            return Err(mistake);
        }
        let settings = limitra.settings();
        let storage = match (self.storage, self.backend) {
            (Some(storage), Some(backend)) if !backend.is_kind_of(&storage) => {
                return Err(ConfigurationError::TwoSources { one: "backend", other: "storage" });
            }
            (Some(storage), _) => storage,
            (None, backend) => limitra.storage_for(backend)?,
        };
        let mut layers: Vec<Layer> = Vec::new();
        for declared in self.layers {
            let mut layer = declared.layer(path, "", limitra)?;
            if layers.iter().any(|other| other.space == layer.space) {
                // Two attributes with one scope count for themselves, even if their keys come out alike.
                let number = format!("#{}", layers.len());
                layer = declared.layer(path, &number, limitra)?;
            }
            layers.push(layer);
        }
        // Said at the first call with the function's name, not by chance when all layers take part.
        let (name, bounds) = (storage.name(), storage.bounds());
        bounds.allow(name, layers.len())?;
        layers.iter().flat_map(|layer| &layer.rules).try_for_each(|rules| bounds.hold(name, rules))?;
        let said = OnOutage::of_both(self.on_outage, self.fail_open)?;
        let policy = said.unwrap_or(settings.on_outage);
        let label = path.into();
        let desk = Desk {
            tally: Tally::new(storage.name(), &label),
            local: local_share(policy, &storage, Some(limitra))?,
            storage,
            clock: settings.clock.clone(),
            policy,
            outages: Outages::within(Some(limitra.outage_counter())),
            label,
        };
        let straight = match (&*layers, settings.enabled) {
            ([Layer { space, rules: Some(rules), cost, .. }], true) => {
                // Its scope is told by the plan, not by each decision.
                Straight::new(&desk, space, rules, Scope::NONE).filter(|straight| straight.takes(*cost))
            }
            _ => None,
        };
        Ok(Plan { function: self.function, enabled: settings.enabled, desk, straight, layers })
    }

    fn latest(&mut self, change: impl FnOnce(&mut LayerDeclaration)) {
        if let Some(layer) = self.layers.last_mut() {
            change(layer);
        }
    }

    fn note(&mut self, mistake: ConfigurationError) {
        self.mistake.get_or_insert(mistake);
    }
}

impl LayerDeclaration {
    fn layer(&self, path: &str, number: &str, limitra: &Limitra) -> Result<Layer, ConfigurationError> {
        let settings = limitra.settings();
        let algorithm = self.algorithm.unwrap_or(settings.default_algorithm);
        let rules = if self.dynamic {
            None
        } else if self.limits.is_empty() {
            return Err(ConfigurationError::NoLimit);
        } else {
            Some(rules_with_burst(algorithm, &self.limits, self.burst)?)
        };
        let scope = match (&self.scope, self.keyed) {
            (Some(scope), _) => scope.clone(),
            (None, true) => "user".to_owned(),
            (None, false) => "global".to_owned(),
        };
        let function = match &self.name {
            Some(name) => Cow::Owned(format!("{name}{number}")),
            None => Cow::Owned(format!("{path}{number}")),
        };
        let space = KeySpace::new(&KeyFields {
            prefix: Some(self.prefix.as_deref().or(settings.prefix.as_deref()).unwrap_or("limitra")),
            project: self.project.as_deref().or(settings.project.as_deref()),
            function: Some(&function),
            scope: &scope,
            suffix: self.suffix.as_deref().or(settings.suffix.as_deref()),
            hash_identifiers: settings.hash_identifiers,
        });
        Ok(Layer { space, scope, algorithm, rules, burst: self.burst, cost: self.cost.unwrap_or(1) })
    }
}

pub(super) fn static_limit(requests: impl Amount, window: impl Seconds) -> Result<Limit, ConfigurationError> {
    let requests = number::amount("requests", requests)?;
    let window: Duration = number::seconds("window", window)?;
    Limit::new(requests, window)
}

/// The rules of these limits, each with the burst if there is one.
pub(super) fn rules_with_burst(
    algorithm: Algorithm,
    limits: &[Limit],
    burst: Option<u64>,
) -> Result<SmallVec<[Rule; 1]>, ConfigurationError> {
    let Some(burst) = burst else {
        return rules_of(algorithm, limits);
    };
    let with_burst = |limit: &Limit| limit.with_only_burst(burst);
    let limits: SmallVec<[Limit; 2]> = limits.iter().map(with_burst).collect::<Result<_, _>>()?;
    rules_of(algorithm, &limits)
}
