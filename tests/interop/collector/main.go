// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

// collector is an OpenTelemetry Collector of the parts that compose/collector uses, of its queue on
// disk, and of an exporter of our own, "lines", that appends each request that the receiver took to a
// file, as a line of OTLP's JSON.
package main

import (
	"log"

	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/prometheusexporter"
	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/bearertokenauthextension"
	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/healthcheckextension"
	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/resourceprocessor"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/envprovider"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/exporter/debugexporter"
	"go.opentelemetry.io/collector/exporter/nopexporter"
	"go.opentelemetry.io/collector/exporter/otlphttpexporter"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/processor/batchprocessor"
	"go.opentelemetry.io/collector/processor/memorylimiterprocessor"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"
)

func factories() (ret otelcol.Factories, err error) {
	ret.Telemetry = otelconftelemetry.NewFactory()
	if ret.Receivers, err = otelcol.MakeFactoryMap(otlpreceiver.NewFactory()); err != nil {
		return ret, err
	}
	ret.Processors, err = otelcol.MakeFactoryMap(batchprocessor.NewFactory(),
		memorylimiterprocessor.NewFactory(), resourceprocessor.NewFactory())
	if err != nil {
		return ret, err
	}
	ret.Exporters, err = otelcol.MakeFactoryMap(debugexporter.NewFactory(), linesFactory(),
		nopexporter.NewFactory(), otlphttpexporter.NewFactory(), prometheusexporter.NewFactory())
	if err != nil {
		return ret, err
	}
	ret.Extensions, err = otelcol.MakeFactoryMap(bearertokenauthextension.NewFactory(),
		filestorage.NewFactory(), healthcheckextension.NewFactory())
	return ret, err
}

func main() {
	providers := []confmap.ProviderFactory{envprovider.NewFactory(), fileprovider.NewFactory()}
	command := otelcol.NewCommand(otelcol.CollectorSettings{
		BuildInfo: component.BuildInfo{Command: "collector", Version: "0.161.0"},
		Factories: factories,
		ConfigProviderSettings: otelcol.ConfigProviderSettings{
			ResolverSettings: confmap.ResolverSettings{
				ProviderFactories: providers,
				DefaultScheme:     "env",
			},
		},
	})
	if err := command.Execute(); err != nil {
		log.Fatal(err)
	}
}
