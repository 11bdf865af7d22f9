"""The bodies of requests and answers, by which the OpenAPI page describes them."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, TypeAdapter

from rnncls.inference.serve.limits import MAX_EXPLAINED


class TextsRequest(BaseModel):
    """Texts to classify."""

    model_config = ConfigDict(extra="forbid")

    texts: list[str] = Field(description="The texts.")
    top_k: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Return the K most probable labels only."
    )


class InputsParameters(BaseModel):
    """The parameters of Hugging Face that this server respects."""

    top_k: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Return the K most probable labels only."
    )


class InputsRequest(BaseModel):
    """The request of Hugging Face's text classification."""

    inputs: str | list[str] = Field(description="A text, or several.")
    parameters: InputsParameters | None = None


TEXTS_TAG, INPUTS_TAG = "{texts}", "{inputs}"
"""The kinds of requests for predictions; errors of pydantic name them first."""


def _choose_request(body: object) -> str:
    """Return which kind of request a body is."""
    is_inputs = isinstance(body, dict) and "inputs" in body
    return INPUTS_TAG if is_inputs else TEXTS_TAG


PredictRequest = Annotated[
    Annotated[TextsRequest, Tag(TEXTS_TAG)] | Annotated[InputsRequest, Tag(INPUTS_TAG)],
    Discriminator(_choose_request),
]
PREDICT_REQUEST: TypeAdapter[TextsRequest | InputsRequest] = TypeAdapter(PredictRequest)


class ExplainRequest(BaseModel):
    """A text to explain."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(description=f"The text; at most {MAX_EXPLAINED} tokens.")
    label: str | None = Field(
        None, description="The label to explain; null: the most probable one."
    )
    all_labels: bool = Field(
        default=False,
        description="Also return the logits of all labels without each token.",
    )
    trajectory: bool = Field(
        default=False, description="Also return the probabilities after each token."
    )


class ModelInfo(BaseModel):
    """The classifier that answered."""

    name: str
    version: str = Field(description="The start of the SHA-256 of its weights.")


class PredictionBody(BaseModel):
    """The prediction for a text."""

    label: str = Field(description="The most probable label.")
    prob: float = Field(description="Its probability.")
    labels: list[str] | None = Field(
        None,
        description="If a text may have several labels: those that reach their"
        " threshold, the most probable first.",
    )
    probs: dict[str, float] = Field(
        description="The probability of each label; with top_k, the most probable ones."
    )
    num_tokens: int = Field(description="The tokens that were read.")
    num_unknown: int = Field(description="How many of them the vocabulary lacks.")
    num_cut: int = Field(description="How many further tokens were cut off.")
    fits: bool | None = Field(
        None,
        description="Whether the text fits one of the labels; absent if the model"
        " cannot tell.",
    )


class PredictResponse(BaseModel):
    """The predictions, in the order of the texts."""

    predictions: list[PredictionBody]
    model: ModelInfo


class LabelScore(BaseModel):
    """A label with its probability, as Hugging Face names it."""

    label: str
    score: float


ScoresResponse = list[list[LabelScore]]
"""For each text its labels, the most probable first."""


class TokenBody(BaseModel):
    """What a token adds to the logit of the explained label."""

    token: str
    start: int = Field(description="Where it begins in the text, in characters.")
    end: int
    is_known: bool = Field(description="Whether it is in the vocabulary.")
    occlusion: float = Field(
        description="How much the logit drops if an unknown word replaces the token."
    )


class ExplainResponse(BaseModel):
    """Why a text gets the logit of a label."""

    label: str = Field(description="The explained label.")
    logit: float = Field(description="Its logit.")
    probs: dict[str, float]
    labels: list[str] | None = Field(
        None, description="If a text may have several labels: its labels."
    )
    tokens: list[TokenBody]
    num_tokens: int
    num_unknown: int
    num_cut: int
    fits: bool | None = Field(
        None,
        description="Whether the text fits one of the labels; absent if the model"
        " cannot tell.",
    )
    logits: list[float] | None = Field(
        None, description="With all_labels: the logit of each label."
    )
    logits_without: list[list[float]] | None = Field(
        None, description="With all_labels: the logits without each token."
    )
    trajectory: list[list[float]] | None = Field(
        None, description="With trajectory: the probabilities after each token."
    )
    model: ModelInfo


class FieldError(BaseModel):
    """What is wrong with a field of a request."""

    field: str
    message: str


class ErrorBody(BaseModel):
    """Why a request has no answer."""

    error: str = Field(description="What was found, what was expected, what to do.")
    limit: str | None = Field(None, description="The limit that is exceeded.")
    found: int | None = Field(None, description="What the request has.")
    allowed: int | None = Field(None, description="What it may have.")
    fields: list[FieldError] | None = Field(
        None, description="With 422: the fields that are wrong."
    )


class InferInput(BaseModel):
    """The texts, as a tensor of the Open Inference Protocol."""

    name: Literal["text"] = Field(description="`text`.")
    datatype: Literal["BYTES"] = Field(description="`BYTES`: strings.")
    shape: list[Annotated[int, Field(ge=0)]] = Field(description="[N] or [N, 1].")
    data: list[str] | list[list[str]] = Field(description="N texts.")


class RequestedOutput(BaseModel):
    """An output that the client asks for."""

    name: str


class InferRequest(BaseModel):
    """An inference request of the Open Inference Protocol, version 2."""

    id: str | None = None
    parameters: dict[str, Any] | None = None
    inputs: list[InferInput] = Field(
        min_length=1, max_length=1, description="One tensor named `text`."
    )
    outputs: list[RequestedOutput] | None = Field(
        None, description="The outputs to return; null: all."
    )


class InferOutput(BaseModel):
    """A tensor of the answer, its values row by row."""

    name: str
    datatype: str
    shape: list[int]
    data: list[str] | list[bool] | list[float]


class InferResponse(BaseModel):
    """The answer of the Open Inference Protocol."""

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[InferOutput]


class TensorMetadata(BaseModel):
    """The name, type and shape of a tensor; -1 is any size."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(BaseModel):
    """What a classifier reads and returns."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]
    parameters: dict[str, Any]


class ServerMetadata(BaseModel):
    """The server."""

    name: str
    version: str
    extensions: list[str]


class Liveness(BaseModel):
    """Whether the process answers."""

    live: bool


class Readiness(BaseModel):
    """Whether requests are welcome."""

    ready: bool


BODIES: list[type[BaseModel]] = [
    TextsRequest,
    InputsRequest,
    ExplainRequest,
    InferRequest,
]
"""The requests whose schemas the OpenAPI page needs."""
