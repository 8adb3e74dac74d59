//! Injecting faults into the calls of an adapter.

mod call;
mod call_in_flight;
mod connection;
mod errors;
mod fault;
mod fault_layer;
mod fault_rates;
mod gate;
mod hold;
mod in_flight;
mod moment;
mod random_faults;
mod script;
mod wait;

pub use call::Call;
pub use fault_layer::FaultLayer;
pub use fault_rates::FaultRates;
pub use hold::Hold;
pub use moment::Moment;
