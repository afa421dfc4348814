//! An age network of any kind, ready to run.

pub use super::spec::{About, Answer, Backend, Crop, InputSpec, Layout, Provider, RuntimeOptions};
use super::{
    backend::{self, Engine, Output},
    description::{self, Recipe},
    nano,
    source::Source,
};
use crate::{Result, problem};
use std::path::Path;

/// A network with what it takes and what its outputs mean.
pub struct Network {
    engine: Box<dyn Engine>,
    recipe: Recipe,
    about: About,
    turned: Vec<f32>,
}

impl Network {
    /// Opens an ONNX file that `veche model import` wrote, or any other with a description (see docs/formats.md).
    ///
    /// # Errors
    /// A file that is no ONNX model, a model that says nothing about itself and has no description, a description that does not fit
    /// the model, a backend or provider that is not there.
    pub fn open(path: &Path, description: Option<&Path>, options: &RuntimeOptions) -> Result<Self> {
        Self::of(Source::File(path), description, options)
    }

    /// The network that is built in: see [`nano`].
    ///
    /// # Errors
    /// A backend or provider that is not there.
    pub fn bundled(options: &RuntimeOptions) -> Result<Self> {
        let mut network = Self::of(nano::SOURCE, None, options)?;
        network.about.variant = nano::NAME.to_owned();
        network.about.licence = Some(nano::LICENCE.to_owned());
        Ok(network)
    }

    fn of(
        source: Source<'_>,
        description: Option<&Path>,
        options: &RuntimeOptions,
    ) -> Result<Self> {
        let (recipe, about) = description::of(source, description)?;
        let (engine, name) = backend::open(source, &recipe, options)?;
        Ok(Self {
            engine,
            recipe,
            about: About {
                backend: name,
                ..about
            },
            turned: Vec::new(),
        })
    }

    /// What it takes.
    pub fn spec(&self) -> &InputSpec {
        &self.recipe.input
    }

    /// What it is.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// What it says about `n` photos of [`InputSpec::pixels`] numbers each, in their order. No photo, no answer.
    ///
    /// # Errors
    /// A wrong number of pixels; an error of the backend; outputs of another shape than the recipe says, or not finite.
    pub fn run(&mut self, pixels: &[f32], n: usize) -> Result<Vec<Answer>> {
        let outputs = self.run_raw(pixels, n)?;
        self.recipe.answers(&outputs, n)
    }

    /// The same, as the network's own outputs in the order of the recipe: for comparing with other implementations.
    ///
    /// # Errors
    /// As [`Network::run`].
    pub fn run_raw(&mut self, pixels: &[f32], n: usize) -> Result<Vec<Output>> {
        let each = self.recipe.input.pixels();
        if n.checked_mul(each) != Some(pixels.len()) {
            return problem(format!(
                "{n} photos of {each} numbers were announced, but there are {} numbers",
                pixels.len()
            ))
            .fail();
        }
        if n == 0 {
            return Ok(Vec::new());
        }
        if !self.recipe.as_given() {
            self.recipe.arrange(pixels, &mut self.turned);
            return self.engine.run(&self.turned, n);
        }
        self.engine.run(pixels, n)
    }

    /// Names of the outputs that are read, as [`Network::run_raw`] gives them.
    pub fn outputs(&self) -> &[String] {
        &self.recipe.outputs
    }
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Network")
            .field("recipe", &self.recipe)
            .field("about", &self.about)
            .finish_non_exhaustive()
    }
}
