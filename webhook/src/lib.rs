//! Admission: what is stored is complete and makes sense, and who is refused learns everything that is wrong at once.
//!
//! ```text
//! API server ─► serve: TLS, timeouts, drain ─► router, budget: room, one turn per review ─► review: the envelope, always with its uid
//!                                                                                       │ raw JSON
//!                                                lookup: the parent of a scale, other teams
//!                                                                                       │
//!                                         admit: model::default ─► JSON patch   ◄───────┤
//!                                                model::validate ─► denial, warnings ◄──┘
//! ```
//!
//! No rule lives here: they are in `pgherd_model::validate`. The controller runs those of them without which no cluster can be made.

pub mod admit;
pub mod args;
mod budget;
mod fleet;
mod impact;
pub mod limits;
pub mod lookup;
pub mod metrics;
pub mod review;
pub mod route;
pub mod router;
pub mod serve;
pub mod start;
