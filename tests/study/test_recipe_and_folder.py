import pytest
import yaml

from dynsearch import resources
from dynsearch.data.catalogue import DATASETS, get_info
from dynsearch.errors import InputError, RecipeError, StudyError
from dynsearch.study.folder import StudyFolder
from dynsearch.study.recipe_file import load_recipe, recipe_name
from tests.search.toy import SPACE, recipe


@pytest.mark.parametrize("name", resources.names("studies"))
def test_shipped_recipes_are_valid_and_their_spaces_exist(name):
    loaded = load_recipe(name)[0]
    assert resources.find("search_spaces", loaded.space).is_file()


@pytest.mark.parametrize("name", resources.names("studies"))
def test_shipped_recipes_are_for_data_sets_that_are_known(name):
    loaded = load_recipe(name)[0]
    info = get_info(loaded.dataset)
    # The papers mirror no clips where a class tells left from right.
    assert not (loaded.training.flip and info.flip == "exchange" and info.num_videos)


def test_every_data_set_to_download_has_a_recipe():
    to_download = {name for name in DATASETS if DATASETS.is_shipped(name) and DATASETS[name].num_videos}
    assert to_download <= set(resources.names("studies"))


def test_a_variant_has_its_data_sets_recipe():
    loaded = load_recipe("ucf101@2", overrides={"dataset": "ucf101@2"})[0]
    assert (loaded.dataset, loaded.training.milestones, loaded.training.dropout) == (
        "ucf101@2",
        (10, 20),
        0.8,
    )
    assert recipe_name("ucf101@2") == "ucf101-2"
    assert recipe_name("csv@11+20") == "csv-11-20"


def test_the_sthv2_recipe_is_the_papers_schedule():
    training = load_recipe("sthv2")[0].training
    assert (training.epochs, training.batch_size, training.learning_rate) == (50, 128, 0.01)
    assert (training.milestones, training.gamma, training.dropout) == ((25, 35, 45), 0.1, 0.5)
    assert (training.momentum, training.weight_decay, training.schedule) == (0.9, 5e-4, "step")


def test_settings_and_overrides_change_fields():
    loaded = load_recipe(
        "motions",
        settings=[
            "training.epochs=3",
            "training.milestones=[1, 2]",
            "frame_cache=null",
            "training.learning_rate=1e-2",
        ],
        overrides={"max_gflops": 0.5, "seed": None},
    )[0]
    assert (loaded.training.epochs, loaded.training.milestones, loaded.frame_cache) == (3, (1, 2), None)
    assert loaded.training.learning_rate == 0.01  # YAML reads 1e-2 as a text
    assert (loaded.budget, loaded.seed) == (0.5, 0)


def test_a_recipe_survives_its_file(tmp_path):
    before = load_recipe("motions", settings=["training.weights=w.pth"])[0]
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(before.resolved()))
    assert load_recipe(str(tmp_path / "r.yaml"))[0] == before


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (["training.epochs"], "can't read 'training.epochs'"),
        (["=3"], "can't read '=3'"),
        (["training.epochs=[1"], "can't read the value"),
        (["dataset.name=3"], "'dataset' in 'dataset.name=3' holds no fields"),
        (["max_gflops=-1"], "max_gflops: Input should be greater than 0 (got -1)"),
        (["max_gflops=.inf"], "max_gflops"),
        (["seed=x", "training.gamma=2", "colour=red"], "; "),
    ],
)
def test_wrong_settings_are_named(settings, says):
    with pytest.raises(RecipeError) as caught:
        load_recipe("motions", settings=settings)[0]
    assert says in str(caught.value)


def test_unknown_recipes_list_the_shipped_ones():
    with pytest.raises(
        InputError,
        match="there is no study recipe 'kinetics'. Did you mean kinetics400. Shipped: activitynet, ",
    ):
        load_recipe("kinetics")[0]


def test_the_users_own_recipe_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = load_recipe("motions")[0].resolved() | {"num_trials": 99}
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "motions.yaml").write_text(yaml.safe_dump(own))
    assert load_recipe("motions")[0].num_trials == 99
    assert recipe_name("some/where/mine.yaml") == "mine"


def test_study_yaml_records_settings_space_and_versions(tmp_path):
    folder = StudyFolder(tmp_path / "s")
    folder.record(recipe(), SPACE)
    values = yaml.safe_load(folder.study_file.read_text())
    assert values["space"]["backbones"] == ["test_resnet"]
    assert set(values["versions"]) >= {"dynsearch", "torch", "timm", "optuna", "python"}
    assert folder.recipe() == recipe()


def test_a_study_goes_on_with_more_trials_but_not_with_other_settings(tmp_path):
    folder = StudyFolder(tmp_path / "s")
    folder.record(recipe(), SPACE)
    folder.record(recipe(num_trials=50, max_hours=2), SPACE)
    with pytest.raises(StudyError) as caught:
        folder.record(recipe(seed=4, training={"epochs": 7}), SPACE.model_copy(update={"image_sizes": [64]}))
    for change in (
        "seed was 3, now 4",
        "training.epochs was 50, now 7",
        "space.image_sizes was [48], now [64]",
    ):
        assert change in str(caught.value)


def test_a_study_from_before_a_setting_existed_goes_on_with_its_default(tmp_path):
    folder = StudyFolder(tmp_path / "s")
    folder.record(recipe(), SPACE)
    values = yaml.safe_load(folder.study_file.read_text())
    del values["recipe"]["pruner"]
    folder.study_file.write_text(yaml.safe_dump(values))
    with pytest.raises(StudyError, match="pruner was none, now asha"):
        folder.record(recipe(pruner="asha"), SPACE)
    folder.record(recipe(), SPACE)
    assert folder.recipe().pruner == "none"


def test_names_that_could_leave_the_folder_are_refused(tmp_path):
    for name in ("../up", "/abs", "", ".hidden", "a b"):
        with pytest.raises(StudyError, match="can't name a study"):
            StudyFolder.named(name, tmp_path)
    assert StudyFolder.named("v1.2_x-y", tmp_path).path == tmp_path / "v1.2_x-y"
