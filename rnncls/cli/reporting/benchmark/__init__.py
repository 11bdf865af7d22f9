"""Benchmarks: how fast the program trains, predicts and starts.

Training and prediction are compared with the bare cell of torch.nn, pair by pair in one
process, so that a machine that slows down affects both. A figure is the median over the
pairs. Tokens are the words of texts; padding is never counted.

The commands use `training`, `prediction`, `startup` and `formats`. These use
`training_step`, `saving`, `bare_cell`, `speed_ratio` (pairs and their medians),
`latency`, `page_speed` and `timing`.
"""
