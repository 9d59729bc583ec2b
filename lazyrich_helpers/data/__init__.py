"""Data sets as tensors on a device: files and checksums, subsets, augmentation."""
