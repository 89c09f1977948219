"""The operator space: dimensions, design points, splits and the operator table."""
