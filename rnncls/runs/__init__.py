"""The run folder: the files of a training, written atomically and verified when read.

Modules that other rooms use:

    folder         every file name of a run, the newest run
    lock           one process trains in a run at a time
    manifest       the checksums of the files that belong to the weights
    classifier     `Classifier`: a network with all that it needs to read a text
    portable       `PortableClassifier`: the same as NumPy arrays, without torch
    run            `Run`: a classifier, its config and its folder; load and save
    pretrained     the language model or the run that a classifier starts from
    continuation   which run a run continues, and which rows it uses
    data_check     check that a run was not trained on held-out rows
    metric_rows    metrics.jsonl
    overrides      the config keys that a run to resume keeps
    wrong_paths    why a path is no run
    progress       the progress bar
    tensorboard    the event files
    model_card     README.md

May import: `data`, `nn` and what is below them.
"""
