"""How good models are: errors, whether their deviations are as large as their errors, places among others."""
