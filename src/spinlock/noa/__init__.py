"""The Neural Operator Agent: one network that emulates any operator of the family."""
