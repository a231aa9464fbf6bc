"""New projects: their files, their names, and that their configs can be trained."""

import pytest
from toolbox import CONFIGS

from mmuda.checks import check_config
from mmuda.engine.launch import load_config
from mmuda.metafile import paper_of, read_metafile
from mmuda.readme import update_readme
from mmuda.scaffolding import write_project
from mmuda.scaffolding.project import class_name_of

FILES = [
    'README.md',
    '__init__.py',
    'configs/minicity.py',
    'fresh_method.py',
    'metafile.yml',
    'tests/test_fresh_method.py',
]


@pytest.fixture
def project(tmp_path):
    files = write_project('fresh_method', tmp_path)
    folder = tmp_path / 'projects/fresh_method'
    assert sorted(path.relative_to(folder).as_posix() for path in files) == FILES
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob('*') if path.is_file()) == FILES
    return folder


def test_the_config_passes_the_checks_and_the_results_are_those_of_the_metafile(project, minicity, monkeypatch):
    monkeypatch.setenv('MINICITY_ROOT', str(minicity))
    cfg = load_config(project / 'configs/minicity.py')
    assert cfg.model.type == 'FreshMethod' and check_config(cfg) == []
    assert (
        list(read_metafile(project)) == ['fresh_method/minicity'] and paper_of(project / 'configs/minicity.py') is None
    )
    assert not update_readme(project) and '| minicity | - | - | not run |' in (project / 'README.md').read_text()


def test_nothing_is_replaced(project):
    (project / 'fresh_method.py').write_text('# mine\n')
    with pytest.raises(FileExistsError, match='fresh_method exists and is not empty: choose another name'):
        write_project('fresh_method', project.parents[1])
    assert (project / 'fresh_method.py').read_text() == '# mine\n'


def test_the_class_can_have_a_name_of_its_own(tmp_path):
    write_project('bdm', tmp_path, 'BDM')
    folder = tmp_path / 'projects/bdm'
    assert "type='BDM'" in (folder / 'configs/minicity.py').read_text()
    assert 'class BDM(BaseAdaptor):' in (folder / 'bdm.py').read_text()
    with pytest.raises(ValueError, match="'B-DM' cannot be the name of a class: choose one such as Other"):
        write_project('other', tmp_path, 'B-DM')
    assert not (tmp_path / 'projects/other').exists()


@pytest.mark.parametrize('name', ['my-method', 'MyMethod', 'class', 'a/b', '', '../up', 'tests'])
def test_a_name_that_is_no_module_is_refused(name, tmp_path):
    with pytest.raises(ValueError, match='cannot be the name of a project.*lower-case letters, digits and underscores'):
        write_project(name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_project_in_the_checkout_names_its_base_relative_to_itself():
    from mmuda.scaffolding import project_files

    text = project_files('fresh', CONFIGS.parent / 'projects/fresh')['configs/minicity.py']
    assert text.startswith("_base_ = '../../../configs/source_only/minicity.py'\n")


def test_the_class_has_the_name_of_the_project():
    assert [class_name_of(name) for name in ('fda', 'mean_teacher', 'fda2_x')] == ['Fda', 'MeanTeacher', 'Fda2X']
