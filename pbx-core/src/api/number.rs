//! The house's numbers as the world dials them, and the forms in which lines write numbers.

use pbx_switch::directory::{DidNumber, NumberShape, normalise};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::{Desk, Error};
use crate::store;

/// A number of the house.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Number {
    /// E.164: `+33199001234`
    pub number: String,
    /// What it is for.
    pub label: String,
    /// What is dialled within the house when it is called: an extension, or whatever the plan has a rule for.
    pub to: String,
    /// The name of the extension that it leads to, if it is one.
    pub name: Option<String>,
}

/// Every number.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Numbers {
    /// In order.
    pub items: Vec<Number>,
    /// Always null: the list is whole.
    pub next: Option<String>,
}

/// A number to add.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewNumber {
    /// As people write it: `01 99 00 12 34`, `+33 1 99 00 12 34`.
    pub number: String,
    /// What it is for.
    #[serde(default)]
    pub label: String,
    /// What is dialled within the house when it is called.
    pub to: String,
}

/// What may be changed of a number; what is absent stays.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NumberChange {
    /// What it is for.
    #[serde(default)]
    pub label: Option<String>,
    /// What is dialled within the house when it is called.
    #[serde(default)]
    pub to: Option<String>,
}

/// A number in the forms in which lines write it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NumberShapes {
    /// E.164.
    pub number: String,
    /// `+33…`
    pub plus: String,
    /// `0033…`
    pub double_zero: String,
    /// `33…`
    pub bare: String,
    /// `0…`
    pub national: String,
}

/// Every number.
pub async fn list(desk: &Desk) -> Result<Numbers, Error> {
    let directory = desk.directory().await?;
    let items =
        directory.numbers.values().map(|number| shown(number, directory.extension(&number.to).map(|known| known.name.clone())));
    Ok(Numbers { items: items.collect(), next: None })
}

/// Adds one.
pub async fn create(desk: &Desk, new: NewNumber) -> Result<Number, Error> {
    let number = normalise(&new.number).ok_or(Error::Invalid { field: "number", code: "e164" })?;
    let number = DidNumber { number, label: new.label.trim().to_owned(), to: new.to.trim().to_owned() };
    checked(&number)?;
    let _changing = desk.changing().await;
    store::number::insert(desk.db(), &number).await?;
    saved(desk, number).await
}

/// Changes one.
pub async fn update(desk: &Desk, number: &str, change: NumberChange) -> Result<Number, Error> {
    let _changing = desk.changing().await;
    let mut found = store::number::all(desk.db()).await?.into_iter().find(|known| known.number == number).ok_or(Error::NotFound)?;
    if let Some(label) = change.label {
        found.label = label.trim().to_owned();
    }
    if let Some(to) = change.to {
        found.to = to.trim().to_owned();
    }
    checked(&found)?;
    if !store::number::update(desk.db(), &found).await? {
        return Err(Error::NotFound);
    }
    saved(desk, found).await
}

/// Removes one.
pub async fn delete(desk: &Desk, number: &str) -> Result<(), Error> {
    let _changing = desk.changing().await;
    if !store::number::delete(desk.db(), number).await? {
        return Err(Error::NotFound);
    }
    desk.directory_changed().await
}

/// A number as each kind of line would be given it.
pub fn shapes(number: &str) -> Result<NumberShapes, Error> {
    let number = normalise(number).ok_or(Error::Invalid { field: "number", code: "e164" })?;
    let [plus, double_zero, bare, national] = NumberShape::ALL.map(|shape| shape.write(&number));
    Ok(NumberShapes { number, plus, double_zero, bare, national })
}

async fn saved(desk: &Desk, number: DidNumber) -> Result<Number, Error> {
    desk.directory_changed().await?;
    let directory = desk.directory().await?;
    Ok(shown(&number, directory.extension(&number.to).map(|known| known.name.clone())))
}

fn checked(number: &DidNumber) -> Result<(), Error> {
    number.check().map_err(|error| Error::Invalid { field: error.field, code: error.code })
}

fn shown(number: &DidNumber, name: Option<String>) -> Number {
    Number { number: number.number.clone(), label: number.label.clone(), to: number.to.clone(), name }
}
