//! The classifiers' looks of one scan.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::Scanner;
use crate::classify::model::Description;
use crate::classify::{Scores, Tensor};
use crate::frame::{Background, Frame};
use crate::limits::{Budget, Incomplete};
use crate::verdict::Finding;

/// The classifiers' looks of one scan.
pub(super) struct Looks {
    scanner: Scanner,
    budget: Arc<Budget>,
    /// For each classifier, what it has seen so far.
    classified: Vec<Classified>,
    pub(super) inferences: u32,
    pub(super) time: Duration,
}

#[derive(Clone, Default)]
struct Classified {
    highest: Option<Scores>,
    /// The last frame; a still moment is not classified again.
    last: Vec<Tensor>,
}

impl Looks {
    pub(super) fn new(scanner: &Scanner, budget: &Arc<Budget>) -> Self {
        Self {
            scanner: scanner.clone(),
            budget: Arc::clone(budget),
            classified: vec![Classified::default(); scanner.classifiers.len()],
            inferences: 0,
            time: Duration::ZERO,
        }
    }

    /// Whether any classifier would look.
    pub(super) fn has_work(&self) -> bool {
        self.scanner.classifiers.iter().any(|classifier| self.scanner.is_needed(classifier))
    }

    /// Another look at the same.
    pub(super) fn again(&self) -> Self {
        let Self { inferences, time, .. } = *self;
        Self { inferences, time, ..Self::new(&self.scanner, &self.budget) }
    }

    pub(super) fn look_at(
        &mut self,
        frame: &Frame<'_>,
        backgrounds: &[Background],
    ) -> Result<(), Incomplete> {
        let start = self.budget.now();
        let outcome = self.classify(frame, backgrounds);
        self.time += self.budget.now().saturating_sub(start);
        outcome
    }

    fn classify(
        &mut self,
        frame: &Frame<'_>,
        backgrounds: &[Background],
    ) -> Result<(), Incomplete> {
        let scanner = self.scanner.clone();
        for (n, classifier) in scanner.classifiers.iter().enumerate() {
            if !scanner.is_needed(classifier) {
                continue;
            }
            let mut tensors = Vec::new();
            for &background in backgrounds {
                let tensor = classifier.prepare(frame, background, &self.budget)?;
                if !self.classified[n].last.contains(&tensor) && !tensors.contains(&tensor) {
                    let scores = self.infer(n, &tensor)?;
                    self.confirm(frame, background, scanner.to_confirm(classifier, &scores))?;
                }
                tensors.push(tensor);
            }
            self.classified[n].last = tensors;
        }
        Ok(())
    }

    /// Runs the models that have to confirm. Until one has looked at this frame
    /// too, what it said of others must deny nothing.
    fn confirm(
        &mut self,
        frame: &Frame<'_>,
        background: Background,
        models: BTreeSet<usize>,
    ) -> Result<(), Incomplete> {
        let said = |&n: &usize| (n, self.classified[n].highest.take());
        let said: Vec<_> = models.iter().map(said).collect();
        for (n, before) in said {
            let tensor = self.scanner.classifiers[n].prepare(frame, background, &self.budget)?;
            self.infer(n, &tensor)?;
            if let (Some(highest), Some(before)) = (&mut self.classified[n].highest, &before) {
                highest.raise(before);
            }
        }
        Ok(())
    }

    fn infer(&mut self, n: usize, tensor: &Tensor) -> Result<Scores, Incomplete> {
        let scores = self.scanner.classifiers[n].scores(tensor, &self.budget)?;
        self.inferences += 1;
        match &mut self.classified[n].highest {
            Some(highest) => highest.raise(&scores),
            none => *none = Some(scores.clone()),
        }
        Ok(scores)
    }

    /// Whether a score lies so near a threshold that a closer look may decide.
    pub(super) fn is_close(&self) -> bool {
        self.scores().any(|(description, label, score)| {
            self.scanner.policy.is_close(&description.name, label, score, CLOSE)
        })
    }

    pub(super) fn labels(&self) -> impl Iterator<Item = Finding> {
        self.scores().map(|(description, label, score)| Finding::Label {
            model: description.name.clone(),
            version: description.version.clone(),
            label: label.to_owned(),
            score,
        })
    }

    fn scores(&self) -> impl Iterator<Item = (&Description, &str, f32)> {
        let looked = self.scanner.classifiers.iter().zip(&self.classified);
        looked.flat_map(|(classifier, classified)| {
            let description = classifier.description();
            let scores = classified.highest.iter().flat_map(Scores::as_slice);
            description.labels().zip(scores).map(move |(label, &score)| (description, label, score))
        })
    }
}

/// How near a threshold a score of a reduced picture has to be to be doubted.
const CLOSE: f32 = 0.05;
