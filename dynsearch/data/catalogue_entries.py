"""The catalogue's entries. A new data set is a layout file and one entry here."""

from __future__ import annotations

import functools
from collections.abc import Callable

from dynsearch.data.dataset_info import DatasetInfo, Layout
from dynsearch.data.layouts import hmdb51, ucf101
from dynsearch.data.layouts.activitynet import read_activitynet
from dynsearch.data.layouts.class_folders import read_class_folders
from dynsearch.data.layouts.csv_videos import read_csv_videos
from dynsearch.data.layouts.fcvid import read_fcvid
from dynsearch.data.layouts.kinetics import read_kinetics400, read_mini_kinetics
from dynsearch.data.layouts.numbered_clips import read_numbered_clips
from dynsearch.data.layouts.sthv2 import read_sthv2
from dynsearch.data.motions.dataset import DEFAULT_SIZES, generate_motions
from dynsearch.data.records import Annotations
from dynsearch.errors import InputError


def _official_splits(
    name: str, read: Callable[..., Annotations], known: tuple[str, ...]
) -> Callable[[str], Layout]:
    """Return what gives the layout of one of a data set's official splits."""

    def layout(number: str) -> Layout:
        if number not in known:
            raise InputError(
                f"{name} has no split {number!r}", hint=f"Splits: {name}@{f', {name}@'.join(known)}"
            )
        return functools.partial(read, split=number)

    return layout


_STHV2_LAYOUT = (
    "20bn-something-something-v2/ with one webm or mp4 file per video id; labels, train and validation JSON "
    "as labels/NAME.json, NAME.json or something-something-v2-NAME.json"
)
# Addresses as public repositories cite them; what the pages say today was not checked.
_STHV2_PAGE = "https://www.qualcomm.com/developer/software/something-something-v-2-dataset"
_JESTER_PAGE = "https://www.qualcomm.com/developer/software/jester-dataset"
_UCF101_PAGE = "https://www.crcv.ucf.edu/data/UCF101.php"
_HMDB51_PAGE = "https://serre-lab.clps.brown.edu/resource/hmdb-a-large-human-motion-database/"
_KINETICS_PAGE = "https://github.com/cvdfoundation/kinetics-dataset"
_ACTIVITYNET_PAGE = "http://activity-net.org/download.html"
_FCVID_PAGE = "https://fvl.fudan.edu.cn/dataset/fcvid/list.htm"
_MINI_KINETICS_PAGE = "https://github.com/s9xie/Mini-Kinetics-200"
_VALIDATION_IS_TEST = (
    "the official validation videos are the test split, because the test labels are not public"
)
_BY_CLASS = ("top1", "top5", "mean_class")
_SEVERAL_LABELS = ("map", "top1")
_OWN = "your own data: its licence is yours to know"
_OWN_SPLITS = (
    "without a test split, a fifth of the videos or of their groups is one; NAME@A+B tests on groups A and B"
)

_EMBEDDED = DatasetInfo(
    name="motions",
    title="motions, the embedded data set",
    num_classes=12,
    layout=_STHV2_LAYOUT,
    licence_page="made by dynsearch itself, Apache-2.0",
    how_to_get="Made on first use, or by `dynsearch data prepare --dataset motions`; for a folder of "
    "your own, name one that is new or empty",
    num_videos={"train": DEFAULT_SIZES.num_train, "test": DEFAULT_SIZES.num_validation},
    calibration_fraction=1 / 3,
    cache_frames=24,
    cache_size=DEFAULT_SIZES.side,
    read=read_sthv2,
    splits="its validation videos are the test split",
    generate=generate_motions,
    flip="exchange",
)

_DOWNLOADED = (
    DatasetInfo(
        name="sthv2",
        title="Something-Something v2",
        num_classes=174,
        layout=_STHV2_LAYOUT,
        licence_page=_STHV2_PAGE,
        how_to_get="Download the videos and the labels of Something-Something v2 from "
        f"{_STHV2_PAGE}, join and unpack them with `cat 20bn-something-something-v2-?? | tar zx`, "
        "and give the folder that holds 20bn-something-something-v2/ as --data-root",
        num_videos={"train": 168_913, "test": 24_777},
        read=read_sthv2,
        splits=_VALIDATION_IS_TEST,
        flip="exchange",
    ),
    DatasetInfo(
        name="sthv1",
        title="Something-Something v1",
        num_classes=174,
        layout="20bn-something-something-v1/ with a folder of JPEG frames per video id; "
        "something-something-v1-labels.csv, -train.csv and -validation.csv",
        licence_page=_STHV2_PAGE,
        how_to_get="Unpack the archives of Something-Something v1 (its successor v2 is at "
        f"{_STHV2_PAGE}) and give the folder that holds 20bn-something-something-v1/ as --data-root",
        num_videos={"train": 86_017, "test": 11_522},
        cache_size=100,
        read=functools.partial(
            read_numbered_clips, prefix="something-something-v1", folder="20bn-something-something-v1"
        ),
        splits=_VALIDATION_IS_TEST,
        flip="exchange",
    ),
    DatasetInfo(
        name="jester",
        title="Jester v1",
        num_classes=27,
        layout="20bn-jester-v1/ with a folder of JPEG frames per video id; jester-v1-labels.csv, -train.csv "
        "and -validation.csv",
        licence_page=_JESTER_PAGE,
        how_to_get=f"Download the videos and labels of Jester from {_JESTER_PAGE}, join and unpack them with "
        "`cat 20bn-jester-v1-?? | tar zx`, and give the folder that holds 20bn-jester-v1/ as --data-root",
        num_videos={"train": 118_562, "test": 14_787},
        cache_size=100,
        read=functools.partial(read_numbered_clips, prefix="jester-v1", folder="20bn-jester-v1"),
        splits=_VALIDATION_IS_TEST,
        flip="exchange",
    ),
    DatasetInfo(
        name="ucf101",
        title="UCF-101",
        num_classes=101,
        layout="CLASS/VIDEO.avi, or UCF-101/CLASS/VIDEO.avi; ucfTrainTestlist/ with classInd.txt, "
        "trainlist01.txt and testlist01.txt (02, 03)",
        licence_page=_UCF101_PAGE,
        how_to_get=f"Download UCF101.rar and UCF101TrainTestSplits-RecognitionTask.zip from {_UCF101_PAGE}, "
        "unpack both in one folder, and give it as --data-root",
        num_videos={"train": 9_537, "test": 3_783},
        cache_size=240,
        read=ucf101.read_ucf101,
        splits="split 1; ucf101@2 and ucf101@3 are the others; calibration takes whole groups (g01 to g25)",
        variant=_official_splits("ucf101", ucf101.read_ucf101, ucf101.SPLITS),
        metrics=_BY_CLASS,
    ),
    DatasetInfo(
        name="hmdb51",
        title="HMDB-51",
        num_classes=51,
        layout="CLASS/VIDEO.avi, or hmdb51/CLASS/VIDEO.avi; testTrainMulti_7030_splits/ with "
        "CLASS_test_split1.txt (2, 3)",
        licence_page=_HMDB51_PAGE,
        how_to_get=f"Download the videos and the three splits from {_HMDB51_PAGE}, unpack the archive of each "
        "class, and give the folder that holds the classes and testTrainMulti_7030_splits/ as --data-root",
        num_videos={"train": 3_570, "test": 1_530},
        cache_size=240,
        read=hmdb51.read_hmdb51,
        splits="split 1; hmdb51@2 and hmdb51@3 are the others; calibration takes whole films",
        variant=_official_splits("hmdb51", hmdb51.read_hmdb51, hmdb51.SPLITS),
        metrics=_BY_CLASS,
    ),
    DatasetInfo(
        name="kinetics400",
        title="Kinetics-400",
        num_classes=400,
        layout="clips called ID.mp4 or ID_000417_000427.mp4 anywhere below; train.csv and val.csv with label,"
        "youtube_id,time_start,time_end. Without them: train/CLASS/ and val/CLASS/",
        licence_page=_KINETICS_PAGE,
        how_to_get=f"Follow {_KINETICS_PAGE} for Kinetics-400's archives and its train.csv and val.csv, "
        "unpack them in one folder, and give it as --data-root",
        num_videos={"train": 246_534, "test": 19_906},
        calibration_fraction=0.05,
        read=read_kinetics400,
        may_vanish=True,
        splits="the official validation videos are the test split; clips without a file are left out and listed",
    ),
    DatasetInfo(
        name="mini_kinetics",
        title="Mini-Kinetics-200",
        num_classes=200,
        layout="Kinetics-400's clips anywhere below; train_ytid_list.txt and val_ytid_list.txt beside "
        "Kinetics-400's train.csv and val.csv, or (121,070 and 9,864 other videos) mini_kinetics_train.txt, "
        "mini_kinetics_val.txt and minik_classInd.txt",
        licence_page=_MINI_KINETICS_PAGE,
        how_to_get=f"Download Kinetics-400 as {_KINETICS_PAGE} says and the lists of {_MINI_KINETICS_PAGE}, "
        "and give the folder that holds them as --data-root",
        num_videos={"train": 80_000, "test": 5_000},
        calibration_fraction=0.05,
        read=read_mini_kinetics,
        may_vanish=True,
        splits="the official validation videos are the test split; clips without a file are left out and listed",
    ),
    DatasetInfo(
        name="activitynet",
        title="ActivityNet 1.3, untrimmed videos with several labels",
        num_classes=200,
        layout="videos called v_ID.mp4 (mkv, webm) anywhere below; activity_net.v1-3.min.json, or "
        "anet_train_video.txt, anet_val_video_multi_label.txt and action_name.csv",
        licence_page=_ACTIVITYNET_PAGE,
        how_to_get=f"Download activity_net.v1-3.min.json from {_ACTIVITYNET_PAGE}, and the videos as that page "
        "says (missing ones can be asked for there), and give the folder that holds both as --data-root",
        num_videos={"train": 10_024, "test": 4_926},
        read=read_activitynet,
        may_vanish=True,
        splits="the official validation videos are the test split; videos without a file are left out and listed",
        metrics=_SEVERAL_LABELS,
    ),
    DatasetInfo(
        name="fcvid",
        title="FCVID, videos with several labels",
        num_classes=239,
        layout="CLASS/VIDEO.mp4 (avi, flv) anywhere below; FCVID_VideoName_TrainTestSplit.txt and "
        "FCVID_Label.txt, beside them or in materials/",
        licence_page=_FCVID_PAGE,
        how_to_get=f"Ask for the data set as {_FCVID_PAGE} says, unpack the videos and the materials in one "
        "folder, and give it as --data-root",
        num_videos={"train": 45_611, "test": 45_612},
        read=read_fcvid,
        may_vanish=True,
        splits="the standard split; videos without a file are left out and listed",
        metrics=_SEVERAL_LABELS,
    ),
)

_GENERAL = (
    DatasetInfo(
        name="folders",
        title="Your own videos, a folder for each class",
        num_classes=None,
        layout="CLASS/VIDEO.mp4 (webm, avi, mkv, mov), or train/CLASS/ and test/CLASS/; groups.csv with "
        "path,group where videos share persons or places",
        licence_page=_OWN,
        how_to_get="Put the videos of each class in a folder of its name, and give the folder that holds them "
        "as --data-root",
        num_videos={},
        calibration_fraction=0.15,
        cache_size=128,
        read=read_class_folders,
        splits=_OWN_SPLITS.replace("NAME", "folders"),
        variant=lambda groups: functools.partial(read_class_folders, test_groups=groups),
        flip="exchange",
    ),
    DatasetInfo(
        name="csv",
        title="Your own videos, listed in CSV files",
        num_classes=None,
        layout="train.csv and test.csv, or one file, of path,label[,start,end] with start and end in seconds; "
        "with a header also columns called group (or subject, person) and split",
        licence_page=_OWN,
        how_to_get="Write one line for each video, with its path relative to the folder of the file, and give "
        "that folder as --data-root",
        num_videos={},
        calibration_fraction=0.15,
        cache_size=128,
        read=read_csv_videos,
        splits=_OWN_SPLITS.replace("NAME", "csv"),
        variant=lambda groups: functools.partial(read_csv_videos, test_groups=groups),
        flip="exchange",
    ),
)

CATALOGUE: dict[str, DatasetInfo] = {info.name: info for info in (_EMBEDDED, *_DOWNLOADED, *_GENERAL)}
"""Every data set by name."""
