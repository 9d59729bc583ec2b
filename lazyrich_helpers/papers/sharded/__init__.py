"""TensorFlow DTensor and `torch.distributed`: one network over several processes."""
