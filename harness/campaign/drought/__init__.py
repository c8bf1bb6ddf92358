"""How a pool is run dry and watched until the application is back.

A package of its own because two doors do it: the probe (`harness.campaign.probes.exhaustion`), by
as many users as it takes, and the checkup, by locked tables. They decide who requests what; what is
asked beside them, what is noted and what becomes a story of it stands here. Verdicts are those of
`harness.checks.exhaustion`.
"""
