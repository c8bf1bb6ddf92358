"""How a pool size is measured: what to try, the ramp, the sweep, the drill.

A package of its own because the probe (`harness.campaign.probes.pool_sizing`) only decides what
comes after what; what each measurement is, and how long, stands here. Verdicts are those of
`harness.checks.load`.
"""
