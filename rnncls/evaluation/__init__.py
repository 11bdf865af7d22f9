"""How good a classifier is: metrics, calibration, error slices, comparison of runs.

Modules that other rooms use:

    evaluator         the logits and the loss of encoded texts
    metrics           accuracy, F1 and their intervals, from predictions
    label_metrics     scores for several labels a text: F1, ranking, calibration
    label_bootstrap   their intervals, and the paired test of two runs
    thresholds        thresholds and temperature for several labels
    calibration       calibration error, temperature, accuracy of confident predictions
    parts             the scores of the network, of the n-grams and of both together
    error_slices      accuracy by length and by share of unknown words
    loading           a run with the rows that it is evaluated on
    run_evaluation    a run evaluated on one of its splits or on a file
    scope             texts that fit none of the classes: the threshold, its scores
    summary           all results of an evaluation
    comparison        runs compared on the same rows, with significance tests
    drift             a file compared with the validation rows of a run; `drift_sample`
                      draws the rows, `drift_result` is the result

May import: `runs` and what is below it.
"""
