import io
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image

from rezsl.classifier import Familiarity, ZeroShotClassifier
from rezsl.data import load_digits
from rezsl.functional.familiarity import FeatureDistribution, Limit
from rezsl.models import AttentionNet
from rezsl.play import Playground, describe, render_page
from rezsl.regions import small_resnet

TITLE = "digits </script><b>&"


def photo_of(position: int) -> bytes:
    images, stream = load_digits().inputs, io.BytesIO()
    assert isinstance(images, torch.Tensor)
    Image.fromarray(images[position, 0].numpy()).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture(scope="session")
def model() -> ZeroShotClassifier:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        semantics = load_digits().semantics
        backbone = small_resnet(channels=1, natural_size=8, width=8)
        network = AttentionNet(backbone.region_dim, semantics)
        torch.nn.init.normal_(network.output.weight, std=0.1)
    model = ZeroShotClassifier(backbone, network, semantics, ["0", "1", "3"], gamma=0.7, centered=True).eval()
    # Half of the images are refused: those whose highest score is below the median.
    highest = model.highest_scores(model.examine(load_digits().inputs[:40])[0]).median()
    width = next(iter(model.describe(load_digits().inputs[:1])))[1].shape[1]
    axes = torch.eye(width)[:, :1]
    distribution = FeatureDistribution(torch.zeros(width), axes, torch.ones(1), torch.ones(()))
    model.familiarity = Familiarity(distribution, Limit(0.0, 1.0, -float(highest)))
    return model


@pytest.fixture
def playground(model: ZeroShotClassifier) -> Playground:
    return Playground(model)


@pytest.fixture(scope="module")
def address(model: ZeroShotClassifier) -> Iterator[str]:
    """The host and the port of a server with the page."""
    import uvicorn  # noqa: PLC0415 - after the test's own check that it is installed

    from rezsl.play.server import application  # noqa: PLC0415 - the same

    playground = Playground(model)
    page = render_page(describe(model, playground.table, TITLE, playground.map_kinds), "server")
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(application(playground, page, "127.0.0.1"), log_level="error", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listener.close()


@pytest.fixture(scope="session")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "seven.png"
    path.write_bytes(photo_of(7))
    return path
