//! What calls to the outside may cost, what they have cost, and letting somebody go on for a while.

use pbx_switch::directory::{self, ExtensionNumber, Money, TollRules};
use pbx_switch::event::Event;
use pbx_switch::toll::{Amount, Payer, TollState};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::{Desk, Error, instant};
use crate::store;

/// The rules of the house.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Toll {
    /// Countries that may be called beside France and its overseas departments: ISO 3166-1 alpha-2.
    pub countries: Vec<String>,
    /// What a minute costs, by an estimate; the longest prefix holds.
    pub rates: Vec<Rate>,
    /// Of all calls together.
    pub house: Ceilings,
    /// Of each extension.
    pub extension: Ceilings,
    /// Extensions that are sent a text when a ceiling is reached; five at most.
    pub alerted: Vec<String>,
}

/// What a minute costs to numbers that begin alike.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// E.164 (`+336`), or of a short number (`118`); `+` is any number of the world.
    pub prefix: String,
    /// Euros.
    pub per_minute: f64,
}

/// How much may be spent; null where there is no bound.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Ceilings {
    /// Minutes within the last hour.
    pub minutes_of_hour: Option<u32>,
    /// Minutes within the last day.
    pub minutes_of_day: Option<u32>,
    /// Euros within the last hour.
    pub cost_of_hour: Option<f64>,
    /// Euros within the last day.
    pub cost_of_day: Option<f64>,
}

/// How somebody stands.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Spending {
    /// `house`, or an extension.
    pub id: String,
    /// Minutes within the last hour.
    pub minutes_of_hour: u64,
    /// Minutes within the last day.
    pub minutes_of_day: u64,
    /// Euros within the last hour.
    pub cost_of_hour: f64,
    /// Euros within the last day.
    pub cost_of_day: f64,
    /// The ceiling that keeps them from calling outside: `minutes_of_hour`, `cost_of_day`...; null if none does.
    pub reached: Option<String>,
    /// Until when an administrator lets them go on in spite of it, RFC 3339.
    pub allowed_until: Option<String>,
}

/// How everybody stands who has called outside within the last day.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Spendings {
    /// The house first.
    pub items: Vec<Spending>,
    /// Always null: the list is whole.
    pub next: Option<String>,
}

/// Countries that can be opened.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Countries {
    /// ISO 3166-1 alpha-2.
    pub items: Vec<String>,
    /// Always null: the list is whole.
    pub next: Option<String>,
}

/// The rules of the house.
pub async fn get(desk: &Desk) -> Result<Toll, Error> {
    Ok(shown(&store::toll::rules(desk.db()).await?))
}

/// Puts rules in the place of those there are; the next call obeys them, and running calls too.
pub async fn set(desk: &Desk, toll: Toll) -> Result<Toll, Error> {
    let rules = read(toll)?;
    let _changing = desk.changing().await;
    let directory = desk.directory().await?;
    if rules.alerted.iter().any(|number| directory.extension(number.as_str()).is_none()) {
        return Err(Error::Invalid { field: "alerted", code: "no_extension" });
    }
    store::toll::set_rules(desk.db(), &rules).await?;
    desk.directory_changed().await?;
    Ok(shown(&rules))
}

/// How everybody stands.
pub fn spendings(desk: &Desk) -> Spendings {
    let items = desk.live().map_or_else(Vec::new, |live| live.board.read(|status| status.tolls.values().map(spending).collect()));
    Spendings { items, next: None }
}

/// Lets somebody go on for an hour in spite of a ceiling.
pub async fn allow(desk: &Desk, id: &str) -> Result<(), Error> {
    let live = desk.live().ok_or(Error::NotFound)?;
    let payer = match id {
        "house" => Payer::House,
        number => Payer::Extension(ExtensionNumber::new(number).map_err(|_| Error::NotFound)?),
    };
    if let Payer::Extension(number) = &payer
        && desk.directory().await?.extension(number.as_str()).is_none()
    {
        return Err(Error::NotFound);
    }
    tracing::info!(%payer, "an administrator lets calls to the outside go on for an hour");
    live.switch.tell(Event::Allow { payer }).await;
    Ok(())
}

/// Countries that can be opened.
pub fn countries() -> Countries {
    let items = directory::Country::abroad().into_iter().map(|country| country.code().to_owned()).collect();
    Countries { items, next: None }
}

pub(crate) fn spending(state: &TollState) -> Spending {
    let Amount { cost, .. } = state.hour;
    Spending {
        id: state.payer.to_string(),
        minutes_of_hour: state.hour.minutes(),
        minutes_of_day: state.day.minutes(),
        cost_of_hour: cost.euros(),
        cost_of_day: state.day.cost.euros(),
        reached: state.reached.map(|ceiling| ceiling.code().to_owned()),
        allowed_until: state.allowed_until.map(instant),
    }
}

fn shown(rules: &TollRules) -> Toll {
    let ceilings = |ceilings: &directory::Ceilings| Ceilings {
        minutes_of_hour: ceilings.minutes_of_hour,
        minutes_of_day: ceilings.minutes_of_day,
        cost_of_hour: ceilings.cost_of_hour.map(Money::euros),
        cost_of_day: ceilings.cost_of_day.map(Money::euros),
    };
    Toll {
        countries: rules.countries.iter().cloned().collect(),
        rates: rules.rates.iter().map(|rate| Rate { prefix: rate.prefix.clone(), per_minute: rate.per_minute.euros() }).collect(),
        house: ceilings(&rules.house),
        extension: ceilings(&rules.extension),
        alerted: rules.alerted.iter().map(ToString::to_string).collect(),
    }
}

fn read(toll: Toll) -> Result<TollRules, Error> {
    let invalid = |field, code| Error::Invalid { field, code };
    let ceilings = |field, ceilings: Ceilings| {
        let money = |euros: Option<f64>| euros.map(|euros| Money::of_euros(euros).ok_or(invalid(field, "ceiling"))).transpose();
        Ok::<_, Error>(directory::Ceilings {
            minutes_of_hour: ceilings.minutes_of_hour,
            minutes_of_day: ceilings.minutes_of_day,
            cost_of_hour: money(ceilings.cost_of_hour)?,
            cost_of_day: money(ceilings.cost_of_day)?,
        })
    };
    let rate = |rate: Rate| {
        let per_minute = Money::of_euros(rate.per_minute).ok_or(invalid("rates", "price"))?;
        // As people write it: `+33 6`, `0033 6`, `00 41`.
        let prefix: String = rate.prefix.chars().filter(|character| !character.is_whitespace() && *character != '.').collect();
        let prefix = prefix.strip_prefix("00").map_or(prefix.clone(), |rest| format!("+{rest}"));
        Ok::<_, Error>(directory::Rate { prefix, per_minute })
    };
    let alerted = |number: String| ExtensionNumber::new(number.trim()).map_err(|_| invalid("alerted", "no_extension"));
    let rules = TollRules {
        countries: toll.countries.into_iter().collect(),
        rates: toll.rates.into_iter().map(rate).collect::<Result<_, _>>()?,
        house: ceilings("house", toll.house)?,
        extension: ceilings("extension", toll.extension)?,
        alerted: toll.alerted.into_iter().map(alerted).collect::<Result<_, _>>()?,
    };
    rules.check().map_err(|error| invalid(error.field, error.code))?;
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[tokio::test]
    async fn rules_are_shown_changed_and_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let desk = Desk::open(Config { data_dir: folder.path().to_owned(), ..Config::default() }).await.unwrap();
        let mut toll = get(&desk).await.unwrap();
        assert!(toll.countries.is_empty() && toll.rates.iter().any(|rate| rate.prefix == "+336"));
        toll.countries = vec!["CH".to_owned()];
        toll.rates.push(Rate { prefix: "00 41".to_owned(), per_minute: 0.15 });
        toll.house.cost_of_day = None;
        set(&desk, toll.clone()).await.unwrap();
        let known = desk.directory().await.unwrap().toll;
        assert!(known.opens("+41223456789") && known.per_minute("+41223456789") == Some(Money(150_000)));
        assert_eq!(get(&desk).await.unwrap().house.cost_of_day, None);
        let refused = |change: fn(&mut Toll)| {
            let (desk, mut toll) = (desk.clone(), toll.clone());
            change(&mut toll);
            async move {
                match set(&desk, toll).await {
                    Err(Error::Invalid { field, code }) => (field, code),
                    other => panic!("{other:?}"),
                }
            }
        };
        assert_eq!(refused(|toll| toll.countries.push("XX".into())).await, ("countries", "country"));
        assert_eq!(refused(|toll| toll.rates[0].per_minute = -1.0).await, ("rates", "price"));
        assert_eq!(refused(|toll| toll.rates[0].prefix = "x".into()).await, ("rates", "prefix"));
        assert_eq!(refused(|toll| toll.extension.cost_of_hour = Some(f64::NAN)).await, ("extension", "ceiling"));
        assert_eq!(refused(|toll| toll.house.minutes_of_day = Some(0)).await, ("house", "ceiling"));
        assert_eq!(refused(|toll| toll.alerted.push("201".into())).await, ("alerted", "no_extension"));
        assert!(matches!(allow(&desk, "201").await, Err(Error::NotFound)));
    }
}
