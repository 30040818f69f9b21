//! The least of a plan that still goes wrong.

use limitra::OnOutage;

use crate::plan::{Patience, Plan};
use crate::run::run;

/// How often it is tried at most.
const MOST: usize = 2_000;

/// Leaves out whatever may be left out, and says what the rest does wrong.
pub(crate) fn shrink(plan: &Plan, fault: String) -> (Plan, String) {
    let mut found = Smallest { plan: plan.clone(), fault, tries: 0 };
    loop {
        let before = found.size();
        found.leave_out(|plan| &mut plan.acts);
        found.leave_out(|plan| &mut plan.faults);
        found.simplify();
        if found.size() == before || found.tries > MOST {
            return (found.plan, found.fault);
        }
    }
}

struct Smallest {
    plan: Plan,
    fault: String,
    tries: usize,
}

impl Smallest {
    /// Whether it still goes wrong; then it is the smallest.
    fn is_enough(&mut self, plan: Plan) -> bool {
        self.tries += 1;
        match run(&plan) {
            Ok(_) => false,
            Err(fault) => {
                (self.plan, self.fault) = (plan, fault);
                true
            }
        }
    }

    /// First halves, then smaller parts, then one by one.
    fn leave_out<T>(&mut self, list: impl Fn(&mut Plan) -> &mut Vec<T>) {
        let mut part = list(&mut self.plan.clone()).len().div_ceil(2);
        while part > 0 {
            let mut from = 0;
            while from < list(&mut self.plan.clone()).len() && self.tries <= MOST {
                let mut plan = self.plan.clone();
                let rest = list(&mut plan);
                let to = (from + part).min(rest.len());
                drop(rest.drain(from..to));
                if !self.is_enough(plan) {
                    from += part;
                }
            }
            part /= 2;
        }
    }

    /// Takes away what a plan's parts need not have.
    fn simplify(&mut self) {
        for node in 0..self.plan.nodes.len() {
            self.without(|plan| plan.nodes[node].deny_cache = false);
            self.without(|plan| plan.nodes[node].on_outage = OnOutage::Error);
            self.without(|plan| plan.nodes[node].deadline = None);
            self.without(|plan| plan.nodes[node].breaker = None);
            self.without(|plan| plan.nodes[node].max_in_flight = None);
            self.without(|plan| plan.nodes[node].skew = 0);
            self.without(|plan| plan.nodes[node].local = None);
            self.without(|plan| plan.nodes[node].is_newer = false);
        }
        for act in 0..self.plan.acts.len() {
            self.without(|plan| plan.acts[act].patience = Patience::Endless);
            self.without(|plan| plan.acts[act].node = 0);
        }
    }

    fn without(&mut self, change: impl Fn(&mut Plan)) {
        let mut plan = self.plan.clone();
        change(&mut plan);
        if format!("{plan:?}") != format!("{:?}", self.plan) {
            self.is_enough(plan);
        }
    }

    fn size(&self) -> usize {
        format!("{:?}", self.plan).len()
    }
}
