// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

package main

import (
	"context"
	"os"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// linesConfig is what stands under "lines:" in the configuration.
type linesConfig struct {
	Path string `mapstructure:"path"`
}

type lines struct {
	component.StartFunc
	component.ShutdownFunc
	file *os.File
}

// Each signal has its own, all on one file: a line is one write at its end.
func linesOpen(config component.Config) (lines, error) {
	path := config.(*linesConfig).Path
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	ret := lines{file: file}
	if err == nil {
		ret.ShutdownFunc = func(context.Context) error { return file.Close() }
	}
	return ret, err
}

func (l lines) write(line []byte, err error) error {
	if err == nil {
		_, err = l.file.Write(append(line, '\n'))
	}
	return err
}

type tracesLines struct {
	lines
	consumer.Traces
}

type metricsLines struct {
	lines
	consumer.Metrics
}

type logsLines struct {
	lines
	consumer.Logs
}

func createTraces(_ context.Context, _ exporter.Settings, c component.Config) (exporter.Traces, error) {
	out, err := linesOpen(c)
	if err != nil {
		return nil, err
	}
	take, err := consumer.NewTraces(func(_ context.Context, traces ptrace.Traces) error {
		return out.write((&ptrace.JSONMarshaler{}).MarshalTraces(traces))
	})
	return tracesLines{out, take}, err
}

func createMetrics(_ context.Context, _ exporter.Settings, c component.Config) (exporter.Metrics, error) {
	out, err := linesOpen(c)
	if err != nil {
		return nil, err
	}
	take, err := consumer.NewMetrics(func(_ context.Context, metrics pmetric.Metrics) error {
		return out.write((&pmetric.JSONMarshaler{}).MarshalMetrics(metrics))
	})
	return metricsLines{out, take}, err
}

func createLogs(_ context.Context, _ exporter.Settings, c component.Config) (exporter.Logs, error) {
	out, err := linesOpen(c)
	if err != nil {
		return nil, err
	}
	take, err := consumer.NewLogs(func(_ context.Context, logs plog.Logs) error {
		return out.write((&plog.JSONMarshaler{}).MarshalLogs(logs))
	})
	return logsLines{out, take}, err
}

// linesFactory makes the exporter "lines". A request is answered after its line is written.
func linesFactory() exporter.Factory {
	const level = component.StabilityLevelDevelopment
	return exporter.NewFactory(component.MustNewType("lines"),
		func() component.Config { return &linesConfig{} },
		exporter.WithTraces(createTraces, level),
		exporter.WithMetrics(createMetrics, level),
		exporter.WithLogs(createLogs, level))
}
