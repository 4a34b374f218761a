"""The texts of settings in the keys of trainings are those that 0.1.0 wrote, so that its trainings go on."""

from dynsearch.training.config import TrainingConfig
from dynsearch.training.settings_key import former_settings_text, settings_text

CHANGED = {"epochs": 3, "part_rates": {"heads": 2.0}, "weights": "w.pth", "amp": "off", "milestones": (1, 2)}
WRITTEN = (  # by 0.1.0
    '{"epochs":3,"batch_size":128,"accumulate":1,"learning_rate":0.01,"momentum":0.9,"nesterov":false,'
    '"weight_decay":0.0005,"schedule":"step","milestones":[1,2],"gamma":0.1,"warmup_epochs":0.0,'
    '"part_rates":{"heads":2.0},"dropout":0.5,"grad_clip":null,"amp":"off","channels_last":true,"compile":false,'
    '"recompute":false,"ema_decay":null,"exit_loss":"sum","freeze_batch_norm":false,"sync_batch_norm":false,'
    '"pretrained":true,"weights":"w.pth","multi_scale_crop":true,"flip":false,"max_bad_videos":0.01}'
)
WRITTEN_FOR_ONE_SHOT = (
    "epochs=3 batch_size=128 accumulate=1 learning_rate=0.01 momentum=0.9 nesterov=False weight_decay=0.0005 "
    "schedule='step' milestones=(1, 2) gamma=0.1 warmup_epochs=0.0 part_rates={'heads': 2.0} dropout=0.5 "
    "grad_clip=None amp='off' channels_last=True compile=False recompute=False ema_decay=None exit_loss='sum' "
    "freeze_batch_norm=False sync_batch_norm=False pretrained=True weights=PosixPath('w.pth') "
    "multi_scale_crop=True flip=False num_workers=2 max_bad_videos=0.01 save_every_steps=None timeout=30.0"
)


def test_a_plans_settings_are_written_as_before():
    assert settings_text(TrainingConfig.model_validate(CHANGED)) == WRITTEN


def test_a_one_shot_networks_settings_are_known_as_before():
    config = TrainingConfig.model_validate(CHANGED)
    assert former_settings_text(config, 2, None, 30.0) == WRITTEN_FOR_ONE_SHOT
