"""The folders of tests/ mirror those of mmuda/, so that the tests of a module are easy to find."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ROOT = TESTS.parent

BY_FAMILY = 'parity'
"""Folder with comparisons to the original implementations, one family of methods a file."""

OTHERS = {
    'checkpoints/test_hostile_checkpoints.py': 'malicious files in every function that loads a checkpoint',
    'checks/test_mmseg_configs.py': 'checks of the configs shipped with mmseg',
    'configs/test_backbones.py': 'configs/backbones/: one network of each family of mmseg',
    'configs/test_config_runs.py': 'configs/: each one trains',
    'configs/test_config_stages.py': 'configs/: configs with several stages',
    'configs/test_configs.py': 'configs/: each one builds',
    'configs/test_projects.py': 'projects/: each config builds and trains; contents of a plug-in',
    'configs/test_projects_distributed.py': 'projects/: mixed precision, gathered gradients and two processes',
    'conversion/test_convert_mit.py': 'conversion of MiT, and of DAFormer, HRDA and MIC',
    'configs/test_efficientnet.py': 'configs/: the network that an option exchanges',
    'datasets/pairs/test_target_only.py': 'training on target images alone',
    'docs/test_generated.py': 'docs/extension/ and docs/pictures.py',
    'docs/test_pages.py': 'docs/: pages, tutorials and the notebook',
    'engine/test_kill.py': 'kill -9 at random moments of a training',
    'engine/test_mmseg_apis.py': 'use of a trained network through the APIs of mmseg',
    'faults/test_cases.py': 'situations from reports of users',
    'faults/test_config_fuzz.py': 'random mistakes in configs, each of which must be reported',
    'faults/test_damage.py': 'damaged files, ruined weights, full disks',
    'faults/test_owner.py': 'two runs in one folder, orphaned and unresponsive processes',
    'faults/test_resume_settings.py': 'resuming with other settings; choice of the checkpoint',
    'faults/test_signals.py': 'stop signals',
    'models/adaptors/test_labelled_target.py': 'target images with ground truth, in every method',
    'stages/test_kill.py': 'kill -9 in every kind of stage',
    'test_benchmarks.py': 'benchmarks/',
    'test_floors.py': 'imports between the packages of mmuda',
    'test_mirror.py': 'this file',
    'test_packaging.py': 'pyproject.toml and the contents of an installation',
    'tools/test_shell_scripts.py': 'tools/*.sh',
    'test_syncing.py': 'tests/syncing.py, which finds operations that wait for a GPU',
}
"""Test files about several modules, or about none, with their subject."""

TESTED_BY = {
    'checkpoints/archives.py': 'faults/test_damage.py',
    'checkpoints/key_maps.py': 'conversion/test_convert.py',
    'checkpoints/latest.py': 'faults/test_damage.py',
    'checkpoints/own_names.py': 'engine/test_mmseg_apis.py',
    'checkpoints/states.py': 'checkpoints/test_publish.py',
    'checks/building.py': 'faults/test_config_fuzz.py',
    'checks/finding.py': 'doctor/test_findings.py',
    'checks/keys.py': 'faults/test_config_fuzz.py',
    'checks/registries.py': 'faults/test_config_fuzz.py',
    'checks/schedule.py': 'faults/test_config_fuzz.py',
    'checks/scores.py': 'faults/test_config_fuzz.py',
    'checks/sections.py': 'faults/test_config_fuzz.py',
    'checks/source.py': 'checks/test_signatures.py',
    'checks/stages.py': 'faults/test_config_fuzz.py',
    'checks/training.py': 'faults/test_config_fuzz.py',
    'checks/values.py': 'faults/test_config_fuzz.py',
    'comparison/commands.py': 'comparison/test_comparison.py',
    'comparison/ledger.py': 'comparison/test_comparison.py',
    'comparison/record.py': 'comparison/test_results.py',
    'comparison/report.py': 'comparison/test_results.py',
    'comparison/run_report.py': 'tools/test_report.py',
    'comparison/runs.py': 'comparison/test_comparison.py',
    'comparison/tables.py': 'comparison/test_results.py',
    'conversion/originals.py': 'conversion/test_convert.py',
    'datasets/class_maps.py': 'datasets/readers/test_raw_dataset.py',
    'datasets/readers/folders.py': 'datasets/readers/test_raw_dataset.py',
    'datasets/readers/checked_dataset.py': 'datasets/readers/test_file_check.py',
    'datasets/colours.py': 'datasets/test_label_files.py',
    'datasets/tiff.py': 'datasets/test_image_pixels.py',
    'datasets/cache.py': 'datasets/readers/test_file_check.py',
    'datasets/pairs/streams.py': 'datasets/pairs/test_pair_sampler.py',
    'datasets/published_tables.py': 'datasets/readers/test_published.py',
    'datasets/readers/acdc.py': 'datasets/readers/test_published.py',
    'datasets/readers/dark_zurich.py': 'datasets/readers/test_published.py',
    'datasets/readers/idd.py': 'datasets/readers/test_published.py',
    'datasets/readers/isprs.py': 'datasets/readers/test_published.py',
    'datasets/readers/loveda.py': 'datasets/readers/test_published.py',
    'datasets/readers/mapillary.py': 'datasets/readers/test_published.py',
    'datasets/readers/urbansyn.py': 'datasets/readers/test_published.py',
    'datasets/transforms/checks.py': 'datasets/transforms/test_scale_crop.py',
    'datasets/transforms/crop_plan.py': 'datasets/transforms/test_mining_crop.py',
    'datasets/transforms/draws.py': 'datasets/transforms/test_scale_crop.py',
    'datasets/transforms/trusted_pixels.py': 'datasets/test_untrusted_borders.py',
    'doctor/pairs.py': 'doctor/test_datasets.py',
    'engine/batch_norm_estimation.py': 'engine/test_target_batch_norm.py',
    'engine/config_files.py': 'checks/test_variables.py',
    'engine/hooks/batch_norm_sync_hook.py': 'engine/test_distributed.py',
    'engine/hooks/stop_hook.py': 'faults/test_signals.py',
    'engine/inference.py': 'engine/test_target_batch_norm.py',
    'engine/optim/schedulers.py': 'parity/test_daformer_schedule.py',
    'engine/rescheduling.py': 'faults/test_resume_settings.py',
    'engine/resuming.py': 'faults/test_resume_settings.py',
    'engine/run_record.py': 'faults/test_resume_settings.py',
    'engine/run_settings.py': 'faults/test_resume_settings.py',
    'engine/stopping.py': 'faults/test_signals.py',
    'evaluation/confusion.py': 'evaluation/test_domain_iou.py',
    'evaluation/image_counts.py': 'evaluation/test_domain_iou.py',
    'evaluation/paper.py': 'evaluation/test_domain_iou.py',
    'evaluation/protocols.py': 'evaluation/test_domain_iou.py',
    'evaluation/table.py': 'evaluation/test_domain_iou.py',
    'minicity/canvas.py': 'minicity/test_renderer.py',
    'minicity/layout.py': 'minicity/test_writer.py',
    'minicity/looks.py': 'minicity/test_renderer.py',
    'minicity/manifest.py': 'minicity/test_writer.py',
    'minicity/scene.py': 'minicity/test_renderer.py',
    'minicity/street.py': 'minicity/test_renderer.py',
    'minicity/style.py': 'minicity/test_renderer.py',
    'minicity/textures.py': 'minicity/test_renderer.py',
    'minicity/things.py': 'minicity/test_renderer.py',
    'minicity/towns.py': 'minicity/test_renderer.py',
    'models/adaptors/adabn.py': 'models/adaptors/test_source_only.py',
    'models/adaptors/advent.py': 'models/adaptors/test_adversarial.py',
    'models/adaptors/loss_weights.py': 'models/adaptors/test_base.py',
    'models/adaptors/supervision.py': 'models/adaptors/test_head_losses.py',
    'models/backbones/efficientnet_lite_blocks.py': 'models/backbones/test_efficientnet_lite.py',
    'models/decode_heads/daformer_head.py': 'parity/test_daformer_network.py',
    'models/decode_heads/resnet38_head.py': 'models/backbones/test_resnet38.py',
    'models/segmentors/probability_encoder_decoder.py': 'models/segmentors/test_multi_scale_encoder_decoder.py',
    'models/teachers/counter.py': 'models/teachers/test_ema_teacher.py',
    'owner.py': 'faults/test_owner.py',
    'own_data/method_config.py': 'own_data/test_pair_config.py',
    'own_data/pair.py': 'own_data/test_pair_config.py',
    'own_data/writing.py': 'own_data/test_pair_config.py',
    'prediction/networks.py': 'prediction/test_predictor.py',
    'prediction/outputs.py': 'prediction/test_folder.py',
    'prediction/shares.py': 'prediction/test_folder.py',
    'registry.py': 'labeling/test_strategies.py',
    'stages/base.py': 'stages/test_runner.py',
    'stages/building.py': 'stages/test_runner.py',
    'stages/context.py': 'stages/test_runner.py',
    'stages/prior.py': 'stages/test_kill.py',
    'stages/rank.py': 'stages/test_kill.py',
    'stages/train.py': 'stages/test_runner.py',
    'zip_tree.py': 'test_zip_files.py',
}
"""Modules without a test file of their name, with the test file that covers them."""

FILES = sorted(path.relative_to(TESTS).as_posix() for path in TESTS.rglob('test_*.py'))


def modules_of(file: str) -> list[Path]:
    """Return the possible paths of the module that a test file covers."""
    folder, name = Path(file).parent, Path(file).stem.removeprefix('test_')
    package = ROOT / 'mmuda' / folder
    places = [package / f'{name}.py', package / name / '__init__.py']
    if name == 'init':
        places.append(package / '__init__.py')
    if folder.parts[:1] == ('tools',):
        places.append(ROOT / folder / f'{name}.py')
    return places


@pytest.mark.parametrize('file', [file for file in FILES if not file.startswith(f'{BY_FAMILY}/')])
def test_a_test_file_has_the_name_of_a_module(file):
    found = [path for path in modules_of(file) if path.is_file()]
    assert bool(found) != (file in OTHERS), (
        f'tests/{file} must mirror one of {[str(path.relative_to(ROOT)) for path in modules_of(file)]}, '
        'or be listed with its subject in OTHERS of tests/test_mirror.py, but not both'
    )


def test_nothing_else_is_listed():
    assert set(OTHERS) <= set(FILES)
    assert set(TESTED_BY) <= set(MODULES)


def defines(path: Path) -> bool:
    """Return whether a module defines functions or classes."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return any(isinstance(node, kinds) for node in ast.parse(path.read_text(encoding='utf-8')).body)


def files_of(module: str) -> list[str]:
    """Return the possible names of the test file of a module."""
    folder, name = Path(module).parent, Path(module).stem
    if name == '__init__':
        return [(folder / 'test_init.py').as_posix(), (folder.parent / f'test_{folder.name}.py').as_posix()]
    return [(folder / f'test_{name}.py').as_posix()]


MODULES = [
    path.relative_to(ROOT / 'mmuda').as_posix() for path in sorted((ROOT / 'mmuda').rglob('*.py')) if defines(path)
]


@pytest.mark.parametrize('module', MODULES)
def test_a_module_has_a_test_file(module):
    found = [file for file in files_of(module) if file in FILES]
    assert bool(found) != (module in TESTED_BY), (
        f'mmuda/{module} must have one of the test files {files_of(module)}, '
        'or be listed in TESTED_BY of tests/test_mirror.py with the test file that covers it, but not both'
    )
    assert found or TESTED_BY[module] in FILES, f'there is no tests/{TESTED_BY[module]}'


def test_the_families_are_flat():
    assert all(len(Path(file).parts) == 2 for file in FILES if file.startswith(f'{BY_FAMILY}/'))
