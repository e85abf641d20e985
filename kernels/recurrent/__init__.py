"""LSTM, GRU and RNN."""

from edgeopt.kernels.call import Kernel
from edgeopt.kernels.recurrent import gru, lstm

KERNELS: tuple[Kernel, ...] = (
    lstm.KERNEL,
    *gru.KERNELS,
)
