"""Options: each is taken from its key of the config."""

from rnncls.config.sections import PretrainSection, TrainSection
from rnncls.training.options import OptimizerOptions, TrainOptions

TRAIN = TrainSection(
    max_epochs=2,
    batch_size=7,
    optimizer="sgd",
    lr=0.5,
    schedule="cosine",
    warmup_fraction=0.3,
    layer_lr_decay=0.9,
    freeze_encoder=1,
    freeze_embedding=2,
    weight_decay=0.2,
    average=0.8,
    clip_norm=None,
    save_every=3.0,
    patience=5,
    monitor="macro_f1",
    tensorboard=True,
)


def test_a_classifiers_options_are_those_of_the_train_section() -> None:
    expected = TrainOptions(
        section_name="train",
        max_epochs=2,
        batch_size=7,
        lr=0.5,
        schedule="cosine",
        warmup_fraction=0.3,
        optimizer=OptimizerOptions("sgd", 0.2, None, 0.9, 1, 2),
        save_every=3.0,
        tensorboard=True,
        monitor="macro_f1",
        patience=5,
        ema_decay=0.8,
    )
    assert TrainOptions.from_train(TRAIN) == expected


def test_a_language_model_has_only_the_general_options_of_the_train_section() -> None:
    section = PretrainSection(max_epochs=4, batch_size=8, lr=0.1)
    options = TrainOptions.from_pretrain(section, TRAIN)
    assert (options.max_epochs, options.batch_size, options.lr) == (4, 8, 0.1)
    assert (options.monitor, options.patience, options.ema_decay) == ("loss", None, 0)
    assert options.optimizer == OptimizerOptions("sgd", 0.2, None)
    assert options.schedule == "one_cycle"


def test_messages_name_the_section_that_lr_is_from() -> None:
    pretrain = TrainOptions.from_pretrain(PretrainSection(), TRAIN)
    assert TrainOptions.from_train(TRAIN).section_name == "train"
    assert pretrain.section_name == "pretrain"
