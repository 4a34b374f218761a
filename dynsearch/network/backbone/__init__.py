"""timm backbones, cut into depth stages and run one by one, with the temporal shift inside."""
