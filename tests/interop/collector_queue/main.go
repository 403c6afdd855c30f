// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

// collector_queue is an OpenTelemetry Collector of the parts that make up its own queue on disk: the
// otlp receiver, the otlp_http exporter with its sending queue, and the file_storage extension.
package main

import (
	"log"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/exporter/otlphttpexporter"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"
)

func factories() (ret otelcol.Factories, err error) {
	ret.Telemetry = otelconftelemetry.NewFactory()
	ret.Receivers, err = otelcol.MakeFactoryMap(otlpreceiver.NewFactory())
	if err != nil {
		return ret, err
	}
	ret.Exporters, err = otelcol.MakeFactoryMap(otlphttpexporter.NewFactory())
	if err != nil {
		return ret, err
	}
	ret.Extensions, err = otelcol.MakeFactoryMap(filestorage.NewFactory())
	return ret, err
}

func main() {
	providers := []confmap.ProviderFactory{fileprovider.NewFactory()}
	command := otelcol.NewCommand(otelcol.CollectorSettings{
		BuildInfo: component.BuildInfo{Command: "collector_queue", Version: "0.161.0"},
		Factories: factories,
		ConfigProviderSettings: otelcol.ConfigProviderSettings{
			ResolverSettings: confmap.ResolverSettings{
				ProviderFactories: providers,
				DefaultScheme:     "file",
			},
		},
	})
	if err := command.Execute(); err != nil {
		log.Fatal(err)
	}
}
