"""Tests of `tools/export.py`, which writes a trained network as ONNX."""

import pytest
import torch
from commands import TOOLS, run
from predictions import network_config, picture, save_network

import mmuda

onnxruntime = pytest.importorskip('onnxruntime')
pytest.importorskip('onnxscript')


def test_the_printed_lines_run_the_file(minicity, tmp_path, monkeypatch):
    """The printed code runs the file and gives the labels of `mmuda.predict`."""
    import cv2

    checkpoint = save_network(tmp_path / 'net.pth')
    network_config().dump(tmp_path / 'config.py')
    command = [TOOLS / 'export.py', tmp_path / 'config.py', checkpoint, tmp_path / 'net.onnx']
    log = run(minicity, *command, '--size', 40, 56, '--fixed-size')
    steps = ('tracing the network for images of 40x56', f'writing {tmp_path}/net.onnx', 'comparing with PyTorch on 1')
    places = [log.index(step) for step in steps]
    assert places == sorted(places) and places[-1] < log.index('largest difference')
    assert 'height 40, width 56 only (a fixed size was requested) -> labels' in log
    code = [line[4:] for line in log.splitlines() if line.startswith('    ')]
    assert len(code) == 5
    monkeypatch.chdir(tmp_path)
    cv2.imwrite('image.png', picture())
    names: dict = {}
    exec('\n'.join(code), names)
    wanted = mmuda.predict(network_config(), checkpoint)(picture()).label
    assert (names['found'][0] == wanted).mean() > 0.999
    assert torch.load(checkpoint)['meta']['dataset_meta']['classes'][0] in str(
        names['session'].get_modelmeta().custom_metadata_map['classes']
    )
