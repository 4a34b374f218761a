"""timm backbones, cut into depth stages and run one by one, with the temporal shift inside."""

from dynsearch import compiler

with compiler.not_yet():
    import timm as timm
